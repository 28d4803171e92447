//! The whole configuration, checked: what the hub runs by, swapped whole when files change.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::claims::{Claim, Claims};
use super::document::Document;
use super::hub::Hub;
use super::problem::{Problem, Problems};
use super::secret::{Keeper, Machine};
use super::tenant::Tenant;
use super::tenant_file::check_name;
use super::warnings;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What concerns the whole hub.
    pub hub: Hub,
    /// The tenants by name.
    pub tenants: BTreeMap<String, Arc<Tenant>>,
    /// What is odd without being wrong.
    pub warnings: Vec<Problem>,
    claims: Claims,
}

impl Plan {
    /// Reads `cordboard.toml` and `tenants/*.toml` in a folder.
    pub fn load(folder: &Path) -> Result<Plan, Problems> {
        let mut files = Vec::new();
        let mut problems = Vec::new();
        let mut read = |name: String, path: &Path| match std::fs::read_to_string(path) {
            Ok(text) => files.push((name, text)),
            Err(why) => problems.push(unreadable(&name, &why.to_string())),
        };
        let hub = folder.join("cordboard.toml");
        if hub.exists() {
            read("cordboard.toml".to_owned(), &hub);
        }
        let entries = std::fs::read_dir(folder.join("tenants"));
        let mut paths: Vec<_> = entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            read(format!("tenants/{name}"), path);
        }
        if !folder.is_dir() {
            problems.push(unreadable(&folder.to_string_lossy(), "there is no such folder"));
        }
        match problems.is_empty() {
            true => Plan::read(folder, &files, &Machine),
            false => Err(Problems(problems)),
        }
    }

    /// Reads a configuration from texts: `cordboard.toml` and `tenants/NAME.toml` with their names.
    pub fn read(folder: &Path, files: &[(String, String)], keeper: &dyn Keeper) -> Result<Plan, Problems> {
        let problems = RefCell::new(Vec::new());
        let document = |name, text| Document { name, text, keeper, folder, problems: &problems };
        let text = files.iter().find(|(name, _)| name == "cordboard.toml").map_or("", |(_, text)| text);
        let hub = document("cordboard.toml", text).read(|table| Hub::read(&table));
        let mut tenants = BTreeMap::new();
        for (file, text) in files {
            let Some(name) = file.strip_prefix("tenants/").and_then(|name| name.strip_suffix(".toml")) else {
                continue;
            };
            if let Err(why) = check_name(name) {
                problems.borrow_mut().push(unreadable(file, &why));
            }
            let tenant = document(file, text).read(|table| Tenant::read(name, &table, hub.retention));
            tenants.insert(name.to_owned(), Arc::new(tenant));
        }
        let claims = Claims::of(&tenants, &mut problems.borrow_mut());
        check_keys(&tenants, &mut problems.borrow_mut());
        let problems = problems.into_inner();
        match problems.is_empty() {
            true => {
                let mut warnings = warnings::of_hub(&hub);
                for tenant in tenants.values() {
                    warnings.extend(warnings::of_tenant(tenant));
                    warnings.extend(warnings::of_links(&hub, tenant));
                }
                Ok(Plan { hub, tenants, warnings, claims })
            }
            false => Err(Problems(problems)),
        }
    }

    /// Who claims a path beside the hub's own, on the hub's port or on this one.
    pub fn claimed(&self, listen: Option<SocketAddr>, path: &str) -> Option<&Claim> {
        self.claims.at(listen, path)
    }

    /// The ports beside the hub's own on which paths are claimed.
    pub fn listens(&self) -> BTreeSet<SocketAddr> {
        self.claims.listens()
    }
}

fn unreadable(file: &str, why: &str) -> Problem {
    Problem { file: file.to_owned(), line: 0, column: 0, what: why.to_owned(), hint: None }
}

/// A key tells whose it is: it stands once.
fn check_keys(tenants: &BTreeMap<String, Arc<Tenant>>, problems: &mut Vec<Problem>) {
    let mut owners: BTreeMap<[u8; 32], (&str, &str)> = BTreeMap::new();
    for tenant in tenants.values() {
        for key in &tenant.keys {
            if let Some((other, name)) = owners.insert(key.sha256, (&tenant.name, &key.name)) {
                let hint = format!("`{name}` of tenant `{other}` has it too");
                problems.push(key.place.problem(format!("the key `{}` stands twice", key.name), Some(hint)));
            }
        }
    }
}
