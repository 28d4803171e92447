//! WhatsApp by an Inbox Hub server that is played, with its limits and its faults, and the hub as it is run.

mod lies;
mod media;
mod repair;
mod sending;
mod sessions;
mod sync;
mod world;
