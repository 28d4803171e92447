//! What a site says of a DocType.

use cordboard_sdk::serde_json::Value;

/// A DocType.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meta {
    /// Its module: "FCRM".
    pub module: String,
    /// It was made on the site, not by an app.
    pub custom: bool,
    /// How documents are named: "field:id".
    pub autoname: String,
    /// In the order of the form, custom ones too.
    pub fields: Vec<MetaField>,
}

/// A field of a DocType.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetaField {
    /// The name.
    pub name: String,
    /// "Data", "Select", "Link", …
    pub kind: String,
    /// The words of a Select, the target of a Link, what a Data must be.
    pub options: String,
    /// Characters, when not the usual 140.
    pub length: usize,
    /// A document without it is refused.
    pub mandatory: bool,
    /// No two documents may have the same value.
    pub unique: bool,
    /// Markup is left as it is.
    pub raw: bool,
    /// A new document has something there by itself.
    pub filled: bool,
}

impl Meta {
    /// Reads what the site answered; `None` when it is no DocType.
    pub fn read(value: &Value) -> Option<Self> {
        let fields = value["fields"].as_array()?;
        Some(Self {
            module: text(value, "module"),
            custom: flag(value, "custom"),
            autoname: text(value, "autoname"),
            fields: fields.iter().map(MetaField::read).filter(|field| !field.name.is_empty()).collect(),
        })
    }

    /// A field by its name, in whatever case.
    pub fn field(&self, name: &str) -> Option<&MetaField> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name.trim()))
    }

    /// Whether documents have this field's value for their name.
    pub fn named_by(&self, field: &str) -> bool {
        self.autoname.strip_prefix("field:").is_some_and(|name| name.trim() == field)
    }

    /// Whether what is written here is sent to people by the app that owns it: the columns that only an app has that
    /// speaks to Meta itself.
    pub fn sends(&self) -> bool {
        let has = |name: &str| self.field(name).is_some();
        let module = self.module.to_lowercase().replace(['_', '-'], " ");
        !self.custom && (module == "frappe whatsapp" || has("use_template") || has("whatsapp_account"))
    }
}

impl MetaField {
    fn read(value: &Value) -> Self {
        let length = &value["length"];
        let filled = !matches!(&value["default"], Value::Null) && value["default"] != "" && value["default"] != 0;
        Self {
            name: text(value, "fieldname"),
            kind: text(value, "fieldtype"),
            options: text(value, "options"),
            length: length.as_u64().or_else(|| length.as_str()?.parse().ok()).unwrap_or(0).try_into().unwrap_or(0),
            mandatory: flag(value, "reqd"),
            unique: flag(value, "unique"),
            raw: flag(value, "ignore_xss_filter"),
            filled,
        }
    }

    /// Whether it takes values at all, and not rows or layout.
    pub fn takes_values(&self) -> bool {
        !matches!(
            self.kind.as_str(),
            "Section Break"
                | "Column Break"
                | "Tab Break"
                | "Fold"
                | "Heading"
                | "HTML"
                | "Button"
                | "Table"
                | "Image"
                | "Table MultiSelect"
        )
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// A Check: 0 or 1, sometimes as text, or nothing at all.
fn flag(value: &Value, name: &str) -> bool {
    value[name] == 1 || value[name] == true || value[name] == "1"
}
