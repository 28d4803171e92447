//! The command line.

mod call;
mod check;
mod client;
mod components;
mod deliveries;
mod events;
mod import;
mod init;
mod people;
mod serve;
mod setup;
mod sources;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

/// Cordboard connects telephone systems and WhatsApp with CRMs: sources bring calls and messages in, sinks make CRMs
/// agree with them, and a live feed shows every change.
///
/// Start with `cordboard init DIR`, look at what it wrote, then `cordboard serve --config DIR`.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    /// The folder with cordboard.toml, tenants/ and components/
    #[arg(long, short, global = true, env = "CORDBOARD_CONFIG", default_value = ".", value_name = "DIR")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub
    Serve,
    /// Look through the whole configuration and say what is wrong with it, with file and line
    Check,
    /// Write a commented configuration to begin with
    Init(init::Arguments),
    /// Write a tenant's file from another connector's configuration
    Import(import::Arguments),
    /// Make a token for the API and the live feed
    Token(token::Arguments),
    /// Show events: the latest, or everything as it happens
    Events(events::Arguments),
    /// Show deliveries and what became of them; try them again
    Deliveries(deliveries::Arguments),
    /// Show who has a number, and what was said with them
    People(people::Arguments),
    /// Show sources and how they stand; read them
    Sources(sources::Arguments),
    /// Ring an extension and connect it with a number
    Call(call::Arguments),
    /// Show components, look into a .wasm file, or set an outside system up for one
    Components(components::Arguments),
    /// Print a completion script for your shell
    ///
    /// For bash: source <(cordboard completions bash)
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// What ends a command early: a text for people.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long the process waits at its end for threads that cannot be broken off: a component being compiled, a name that
/// is looked up, a file on a disk that does not answer.
const LAST: Duration = Duration::from_millis(500);

/// Runs the command line; the process's exit code.
pub fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return ended(Err(why.into())),
    };
    // A second provider would only be installed by a second call.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = runtime.block_on(async {
        match command {
            Command::Serve => serve::run(&config).await,
            Command::Check => check::run(&config).await,
            Command::Init(arguments) => init::run(&arguments),
            Command::Import(arguments) => import::run(&config, &arguments),
            Command::Token(arguments) => token::run(&config, &arguments),
            Command::Events(arguments) => events::run(&config, &arguments).await,
            Command::Deliveries(arguments) => deliveries::run(&config, &arguments).await,
            Command::People(arguments) => people::run(&config, &arguments).await,
            Command::Sources(arguments) => sources::run(&config, &arguments).await,
            Command::Call(arguments) => call::run(&config, &arguments).await,
            Command::Components(arguments) => components::run(&config, &arguments).await,
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Arguments::command(), "cordboard", &mut std::io::stdout());
                Ok(())
            }
        }
    });
    runtime.shutdown_timeout(LAST);
    ended(result)
}

#[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
fn ended(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("cordboard: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
