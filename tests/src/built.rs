//! The components that `cargo xtask` has built.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with components; takes precedence over those in `dist`.
pub const FOLDER: &str = "CORDBOARD_TEST_COMPONENTS";

/// The file of a component, ours or one of the tests'. Those that are missing are built.
///
/// # Panics
/// When it cannot be built: a test cannot go on without it.
pub fn component(name: &str) -> PathBuf {
    let file = format!("{name}.wasm");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let mut places = vec![root.join("dist/components"), root.join("dist/tests")];
    if let Some(folder) = std::env::var_os(FOLDER) {
        places.insert(0, folder.into());
    }
    let found = || places.iter().map(|folder| folder.join(&file)).find(|path| path.exists());
    found().unwrap_or_else(|| {
        build(root);
        found().unwrap_or_else(|| panic!("{file} is not in dist, and `cargo xtask build` does not make it"))
    })
}

fn build(root: &Path) {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let status = command.current_dir(root).args(["xtask", "build", "--components", "--tests"]).status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "the components are not built and cannot be built ({status:?}): see `cargo xtask build --components --tests`"
    );
}
