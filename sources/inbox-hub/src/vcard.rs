//! Contact cards: names and numbers, nothing more.

use cordboard_sdk::records::Card;
use cordboard_sdk::serde_json::Value;

use crate::fit;
use crate::look;

/// Cards in one message.
const CARDS: usize = 100;
/// Numbers on one card.
const NUMBERS: usize = 20;

/// The cards of a message's part, in any of its shapes.
pub fn cards(part: &Value) -> Vec<Card> {
    let listed = look::list(part, &["contacts", "vCards", "vcards", "contacts.contacts"]);
    let one = look::first(part, &["contact"]).filter(|contact| contact.is_object()).unwrap_or(part);
    let all = if listed.is_empty() { std::slice::from_ref(one) } else { listed };
    all.iter().take(CARDS).filter_map(card).collect()
}

fn card(value: &Value) -> Option<Card> {
    let text = match value {
        Value::String(text) => Some(text.clone()),
        other => look::text(other, &["vcard", "vCard", "body", "content"]).filter(|text| text.contains("BEGIN:VCARD")),
    };
    let (mut name, mut numbers) = text.as_deref().map(read).unwrap_or_default();
    name = look::text(value, &["displayName", "display_name", "formattedName", "name"]).or(name);
    let listed = look::list(value, &["phones", "numbers", "phoneNumbers"]);
    let written = |phone: &Value| look::as_text(phone).or_else(|| look::text(phone, &["phone", "number", "wa_id"]));
    numbers.extend(listed.iter().filter_map(written));
    numbers.extend(look::text(value, &["phone", "phoneNumber"]));
    numbers.iter_mut().for_each(|number| *number = fit::line(number));
    numbers.sort();
    numbers.dedup();
    numbers.truncate(NUMBERS);
    if name.is_none() && numbers.is_empty() {
        return None;
    }
    Some(Card { name: fit::line(&name.unwrap_or_default()), numbers })
}

/// The name and the numbers of a card's text.
fn read(text: &str) -> (Option<String>, Vec<String>) {
    let (mut name, mut numbers) = (None, Vec::new());
    for line in text.lines().take(200) {
        let Some((property, value)) = line.split_once(':') else { continue };
        let property = property.split(';').next().unwrap_or_default();
        let property = property.rsplit('.').next().unwrap_or_default().to_ascii_uppercase();
        let value = value.trim();
        match property.as_str() {
            "FN" if !value.is_empty() => name = Some(value.replace("\\,", ",").replace("\\;", ";")),
            "TEL" => numbers.push(value.strip_prefix("tel:").unwrap_or(value).to_owned()),
            _ => {}
        }
    }
    numbers.retain(|number| !number.is_empty());
    (name, numbers)
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::serde_json::json;

    use super::*;

    #[test]
    fn every_shape_of_a_card() {
        let text =
            "BEGIN:VCARD\nVERSION:3.0\nFN:Ana\\, jefa\nitem1.TEL;type=CELL;waid=34612345678:+34 612 345 678\nEND:VCARD";
        let ana = [Card { name: "Ana, jefa".into(), numbers: vec!["+34 612 345 678".into()] }];
        assert_eq!(cards(&json!({"vcard": text})), ana);
        assert_eq!(cards(&json!({"vCards": [text]})), ana);
        assert_eq!(cards(&json!({"contacts": [{"vcard": text}]})), ana);
        assert_eq!(cards(&json!({"contacts": {"contacts": [{"vcard": text}]}})), ana);
        let bob = Card { name: "Bob".into(), numbers: vec!["1".into(), "2".into()] };
        assert_eq!(cards(&json!({"contacts": [{"name": "Bob", "phones": ["2", {"phone": "1"}]}]})), [bob]);
        assert_eq!(cards(&json!({"vcard": "nonsense"})), []);
    }
}
