//! The source natively: its own format, ready-made and custom ones, signatures, bad input.

mod custom;
mod hostile;
mod native;
mod ready;
mod signature;
mod support;
