//! The hub as it is run: its own program, a PBX that posts, a Vtiger that is played, subscribers, the command line.

mod bad_input;
mod by_hand;
mod command_line;
mod configuration;
mod delivery;
mod demo;
mod full_disk;
mod hot_load;
mod lane;
mod log;
mod nodes;
mod outage;
mod people;
mod popup;
mod recordings;
mod start_and_stop;
mod webhooks;
mod whole_way;
mod world;
