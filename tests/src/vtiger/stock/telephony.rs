//! What a call can be: an event, or a record of the telephony log.

use super::super::definition::Module;

/// Columns narrower or wider than their type suggests.
const WIDTHS: [(&str, &str, usize); 13] = [
    ("Events", "subject", 255),
    ("Events", "location", 150),
    ("Events", "time_start", 50),
    ("Events", "time_end", 50),
    ("Events", "eventstatus", 200),
    ("Events", "activitytype", 200),
    ("Events", "visibility", 50),
    ("PBXManager", "direction", 10),
    ("PBXManager", "callstatus", 20),
    ("PBXManager", "recordingurl", 200),
    ("PBXManager", "gateway", 20),
    ("PBXManager", "customernumber", 100),
    ("PBXManager", "sourceuuid", 100),
];

pub(super) fn modules() -> Vec<Module> {
    [
        ("Events", include_str!("../../../recordings/vtiger/03-describe-events.json")),
        ("PBXManager", include_str!("../../../recordings/vtiger/04-describe-pbxmanager.json")),
    ]
    .into_iter()
    .map(|(label, recording)| {
        let label = if label == "PBXManager" { "PBX Manager" } else { label };
        let mut module = Module::from_description(label, &super::result(recording)).expect("a recorded describe");
        module.private = true;
        for (name, field, width) in WIDTHS {
            if module.name == name
                && let Some(field) = module.field_mut(field)
            {
                field.width = Some(width);
            }
        }
        if module.name == "Events" {
            for late in ["reminder_time", "notime", "sendnotification", "starred"] {
                if let Some(field) = module.field_mut(late) {
                    field.default = Some("0".into());
                }
            }
            for number in ["cf_861"] {
                if let Some(field) = module.field_mut(number) {
                    field.default = Some(String::new());
                }
            }
        }
        module
    })
    .collect()
}
