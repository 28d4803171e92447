//! Calls that no recording has, with the events in the order that Asterisk 16 and 22 send them.

mod calls;
mod moved;
mod passed;
mod placed;
mod queues;
mod together;

use serde_json::{Value, json};

use crate::support::pbx::Line;
use crate::support::{Hub, settings};

const CALL: &str = "1795246343.0";

fn hub() -> Hub {
    Hub::ready(settings())
}

fn caller() -> Line {
    Line::outside(CALL, "447700900123", "442079460101")
}

fn phone(counter: u32, extension: &str) -> Line {
    Line::phone(&format!("1795246343.{counter}"), CALL, extension)
}

fn desks(call: &Value) -> Vec<&str> {
    call["desks"].as_array().expect("a list").iter().map(|desk| desk["extension"].as_str().expect("text")).collect()
}

fn moves(call: &Value) -> Value {
    let short = |one: &Value| json!([one["kind"], one["by"], one["to"], one["answered"]]);
    call["transfers"].as_array().expect("a list").iter().map(short).collect()
}
