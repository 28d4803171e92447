//! The contract's types that this component speaks in.

pub use cordboard_sdk::records::{Call, CallPhase, Desk, Direction, Item, Observation, Recording, Trust};
pub use cordboard_sdk::vocabulary::{Agent, Incoming as Request, Party, Phone};
