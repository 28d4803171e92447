//! The project's one door: `cargo xtask --help`.
//!
//! What it starts is cargo itself, with what it needs put in place first. It holds no knowledge of the hub.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to its terminal")]

mod bench;
mod components;
mod lock;
mod new;
mod run;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands. Without knowing anything else: `cargo xtask run`, then `cargo xtask test`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the components to dist/components, then the hub
    Build(components::Arguments),
    /// Builds everything and runs every test, or those whose names contain the filters
    Test(test::Arguments),
    /// Starts the hub with a demo tenant, a fake CRM and a PBX that calls
    Run(run::Arguments),
    /// Measures, and prints ratios against bare servers in the same run
    Bench(bench::Arguments),
    /// Writes a new component that builds, with a test
    #[command(subcommand)]
    New(new::Command),
    /// Writes wit/LOCK, which freezes the contract's version as released
    Lock(lock::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Build(arguments) => components::main(&arguments),
        Command::Test(arguments) => test::main(&arguments),
        Command::Run(arguments) => run::main(&arguments),
        Command::Bench(arguments) => bench::main(&arguments),
        Command::New(command) => new::main(&command),
        Command::Lock(arguments) => lock::main(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
