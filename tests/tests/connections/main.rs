//! Sources behind a socket: the hub's own program, a toy that speaks lines, and a played Asterisk.

mod ami;
mod commands;
mod endpoints;
mod faults;
mod hostile;
mod line;
mod nodes;
mod pbx;
mod popups;
mod routing;
mod telephones;
mod world;
