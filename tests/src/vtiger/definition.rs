//! What a module is: its prefix, its fields, and how wide their columns are. Says it the way `describe` does.

use serde_json::{Map, Value, json};

/// One module of the CRM.
#[derive(Debug, Clone)]
pub struct Module {
    /// "PBXManager".
    pub name: String,
    /// The label in `listtypes`.
    pub label: String,
    /// The left part of its record ids.
    pub prefix: u32,
    /// The fields that name a record, as `describe` joins them.
    pub label_fields: String,
    /// The database's name for the id column.
    pub id_column: String,
    /// False for users, groups and folders, which are not records of the CRM proper.
    pub entity: bool,
    /// Whether others' records are hidden from ordinary users.
    pub private: bool,
    /// In the order of `describe`, without `id`.
    pub fields: Vec<Field>,
}

/// One field of a module.
#[derive(Debug, Clone)]
pub struct Field {
    /// The machine name.
    pub name: String,
    /// The label in the user's language.
    pub label: String,
    /// The type's name in `describe`.
    pub kind: String,
    /// The other members of `type`.
    pub details: Map<String, Value>,
    /// Characters that the column takes.
    pub width: Option<usize>,
    /// Whether a create without it is refused.
    pub mandatory: bool,
    /// Duplicate prevention.
    pub unique: bool,
    /// What `describe` says; the webservice writes it all the same.
    pub editable: bool,
    /// As `describe` says.
    pub nullable: bool,
    /// What a create that leaves the field out stores.
    pub default: Option<String>,
}

impl Field {
    /// A field of a type.
    pub fn new(name: &str, label: &str, kind: &str) -> Self {
        let default = match kind {
            "integer" | "boolean" => Some("0".into()),
            "date" | "datetime" | "time" | "reference" => None,
            _ => Some(String::new()),
        };
        let width = match kind {
            "phone" => Some(30),
            "url" => Some(255),
            "string" | "email" | "picklist" => Some(100),
            _ => None,
        };
        Self {
            name: name.into(),
            label: label.into(),
            kind: kind.into(),
            details: Map::new(),
            width,
            mandatory: false,
            unique: false,
            editable: true,
            nullable: true,
            default,
        }
    }

    /// Sets the column's width.
    pub fn wide(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// A create without it is refused.
    pub fn required(mut self) -> Self {
        self.mandatory = true;
        self
    }

    /// `describe` says that it cannot be edited.
    pub fn fixed(mut self) -> Self {
        self.editable = false;
        self
    }

    /// What a create without it stores.
    pub fn or(mut self, default: Option<&str>) -> Self {
        self.default = default.map(str::to_owned);
        self
    }

    /// The modules that a reference takes.
    pub fn to(mut self, modules: &[&str]) -> Self {
        self.details.insert("refersTo".into(), json!(modules));
        self
    }

    /// The modules that this reference takes; empty for other types.
    pub fn refers_to(&self) -> Vec<&str> {
        self.details.get("refersTo").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn described(&self) -> Value {
        let mut kind = self.details.clone();
        kind.insert("name".into(), json!(self.kind));
        json!({
            "name": self.name, "label": self.label, "mandatory": self.mandatory, "type": kind,
            "isunique": self.unique, "nullable": self.nullable, "editable": self.editable, "default": "",
        })
    }

    fn from_description(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let flag = |name: &str| value.get(name).and_then(Value::as_bool);
        let mut details = value.get("type")?.as_object()?.clone();
        let kind = details.remove("name")?.as_str()?.to_owned();
        let mut field = Self::new(text("name")?, text("label")?, &kind);
        field.details = details;
        field.mandatory = flag("mandatory")?;
        field.unique = flag("isunique").unwrap_or_default();
        field.editable = flag("editable").unwrap_or(true);
        field.nullable = flag("nullable").unwrap_or(true);
        Some(field)
    }
}

impl Module {
    /// A module with fields.
    pub fn new(name: &str, label: &str, prefix: u32, fields: Vec<Field>) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            prefix,
            label_fields: fields.first().map(|field| field.name.clone()).unwrap_or_default(),
            id_column: format!("{}id", name.to_lowercase()),
            entity: true,
            private: false,
            fields,
        }
    }

    /// The field with this machine name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The same, to change it.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.fields.iter_mut().find(|field| field.name == name)
    }

    /// Reads back what `describe` answered.
    pub fn from_description(label: &str, value: &Value) -> Option<Self> {
        let described = value.get("fields")?.as_array()?;
        let fields: Vec<Field> = described
            .iter()
            .filter(|field| field["type"]["name"] != "autogenerated")
            .filter_map(Field::from_description)
            .collect();
        let prefix = value.get("idPrefix")?.as_str()?.parse().ok()?;
        let mut module = Self::new(value.get("name")?.as_str()?, label, prefix, fields);
        module.label_fields = value.get("labelFields")?.as_str()?.to_owned();
        module.id_column = described.last()?.get("label")?.as_str()?.to_owned();
        Some(module)
    }

    /// The answer of `describe`.
    pub fn described(&self) -> Value {
        let mut fields: Vec<Value> = self.fields.iter().map(Field::described).collect();
        fields.push(json!({
            "name": "id", "label": self.id_column, "mandatory": false, "type": {"name": "autogenerated"},
            "editable": false, "nullable": false, "default": "",
        }));
        json!({
            "label": self.name, "name": self.name, "createable": true, "updateable": true, "deleteable": true,
            "retrieveable": true, "fields": fields, "idPrefix": self.prefix.to_string(), "isEntity": self.entity,
            "allowDuplicates": false, "labelFields": self.label_fields,
        })
    }
}
