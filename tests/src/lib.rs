//! The outside systems that Cordboard talks to, played honestly, and the suites that need them.
//!
//! A fake refuses what the real system refuses, with the real system's words, and is held to recorded exchanges.
//! Nothing here is part of the product.

pub mod ami;
pub mod amocrm;
pub mod built;
pub mod database;
pub mod files;
pub mod frappe;
pub mod hub;
pub mod inbox_hub;
pub mod line;
pub mod live;
pub mod mail;
pub mod pbx;
pub mod proxy;
pub mod tls;
pub mod vtiger;
pub mod web;
pub mod whatsapp;
