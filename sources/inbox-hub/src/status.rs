//! How far a message of ours has come, in each family's words and numbers.

use cordboard_sdk::records::MessageStatus;
use cordboard_sdk::serde_json::Value;

use crate::look;
use crate::settings::{Numbers, Settings};

/// The status that an object shows in its members `ack` or `status`.
pub fn seen(value: &Value, settings: &Settings) -> Option<MessageStatus> {
    let ack = || number(look::number(value, &["ack"])?, settings.ack_numbers);
    let status = || match look::first(value, &["status"])? {
        Value::String(text) => word(text),
        other => number(look::as_number(other)?, settings.status_numbers),
    };
    ack().or_else(status)
}

/// A status in words: the server's own, those of receipts, and those of Baileys.
pub fn word(text: &str) -> Option<MessageStatus> {
    match text.to_ascii_lowercase().as_str() {
        "pending" | "queued" => Some(MessageStatus::Queued),
        "sent" | "server_ack" | "server" => Some(MessageStatus::Sent),
        "delivered" | "delivery_ack" | "device" => Some(MessageStatus::Delivered),
        "read" => Some(MessageStatus::Read),
        "played" => Some(MessageStatus::Played),
        "failed" | "error" => Some(MessageStatus::Failed),
        _ => None,
    }
}

fn number(number: f64, family: Numbers) -> Option<MessageStatus> {
    if number.fract() != 0.0 {
        return None;
    }
    let web = match family {
        Numbers::Web => number,
        Numbers::Baileys => number - 1.0,
    };
    match web as i64 {
        -1 => Some(MessageStatus::Failed),
        0 => Some(MessageStatus::Queued),
        1 => Some(MessageStatus::Sent),
        2 => Some(MessageStatus::Delivered),
        3 => Some(MessageStatus::Read),
        4 => Some(MessageStatus::Played),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::serde_json::json;

    use super::*;

    #[test]
    fn numbers_mean_what_their_family_says() {
        let settings = Settings::default();
        let all = |member: &str, numbers: std::ops::RangeInclusive<i64>| {
            numbers.map(|number| seen(&json!({ member: number }), &settings)).collect::<Vec<_>>()
        };
        use MessageStatus::{Delivered, Failed, Played, Queued, Read, Sent};
        let order = [Failed, Queued, Sent, Delivered, Read, Played].map(Some);
        assert_eq!(all("ack", -1..=4), order);
        assert_eq!(all("status", 0..=5), order);
        assert_eq!(all("ack", 5..=6), [None, None]);
        assert_eq!(seen(&json!({"ack": "2"}), &settings), Some(Delivered));
        assert_eq!(seen(&json!({"status": "DELIVERY_ACK"}), &settings), Some(Delivered));
        assert_eq!(seen(&json!({"status": "DELETED"}), &settings), None);
        assert_eq!(seen(&json!({"status": "received"}), &settings), None);
    }
}
