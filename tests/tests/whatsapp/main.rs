//! WhatsApp through the hub as it is run: an Inbox Hub that posts and is asked, a Frappe site that is written to and asks.

mod answers;
mod hostile;
mod incoming;
mod setup;
mod world;
