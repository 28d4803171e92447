//! The components folder while the hub runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cordboard::components::{Library, State, Use};
use cordboard_tests::built::component;
use serde_json::json;
use tempfile::TempDir;

use crate::bench;

/// The same component with a note in it, so that it is another file.
fn noted(package: &str, note: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(component(package)).unwrap();
    bytes.push(0);
    bytes.push(u8::try_from(note.len() + 5).unwrap());
    bytes.extend_from_slice(b"\x04note");
    bytes.extend_from_slice(note.as_bytes());
    bytes
}

/// As a careful person puts a file in place: whole at once.
fn put(folder: &Path, file: &str, bytes: &[u8]) {
    let unfinished = folder.join(format!(".{file}"));
    std::fs::write(&unfinished, bytes).unwrap();
    std::fs::rename(unfinished, folder.join(file)).unwrap();
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn all_files_are_loaded_and_bad_ones_are_listed() {
    let folder = folder();
    put(folder.path(), "echo.wasm", &noted("echo", "1"));
    put(folder.path(), "twin.wasm", &noted("echo", "2"));
    put(folder.path(), "bad.wasm", b"hello");
    put(folder.path(), "readme.txt", b"hello");
    let library = Library::open(bench::runtime(), folder.path()).await;
    assert_eq!(library.names(), ["echo"]);
    assert!(library.get("nobody").is_none());
    let states: Vec<(String, State)> = library.status().into_iter().map(|status| (status.file, status.state)).collect();
    assert_eq!(
        states,
        [
            ("bad.wasm".into(), State::Refused),
            ("echo.wasm".into(), State::Loaded),
            ("twin.wasm".into(), State::Refused)
        ]
    );
    let said = library.status()[2].error.clone().unwrap();
    assert!(said.contains("there is a component `echo` already, in echo.wasm"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_is_swapped_in_between_two_calls() {
    let server = bench::server().await;
    let folder = folder();
    put(folder.path(), "it.wasm", &noted("misdeeds", "old"));
    let runtime = bench::runtime();
    let library = Library::open(runtime.clone(), folder.path()).await;
    let handle = library.get("misdeeds").unwrap();
    let old = handle.component().hash().to_owned();
    let settings = json!({"misdeed": "request", "url": format!("http://{server}/slow")});
    let it = Use::new(&runtime, handle, bench::options(settings, &[&server.to_string()])).unwrap();
    let under_way = tokio::spawn({
        let it = it.clone();
        async move { bench::delivered(&it).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    put(folder.path(), "it.wasm", &noted("misdeeds", "new"));
    library.reload().await;
    let new = it.component().hash().to_owned();
    assert_ne!(new, old);
    assert_eq!(library.status()[0].hash.as_deref(), Some(new.as_str()));
    assert_eq!(under_way.await.unwrap(), "200 slow");
    assert_eq!(bench::delivered(&it).await, "200 slow");
}

#[tokio::test]
async fn a_bad_file_does_not_replace_a_good_one() {
    let folder = folder();
    put(folder.path(), "it.wasm", &noted("misdeeds", "good"));
    let runtime = bench::runtime();
    let library = Library::open(runtime.clone(), folder.path()).await;
    let it =
        Use::new(&runtime, library.get("misdeeds").unwrap(), bench::options(json!({"misdeed": "none"}), &[])).unwrap();
    let hash = it.component().hash().to_owned();
    let refused = async |bytes: &[u8], reason: &str| {
        put(folder.path(), "it.wasm", bytes);
        library.reload().await;
        let status = library.status().remove(0);
        assert_eq!((status.state, status.hash.as_deref()), (State::Outdated, Some(hash.as_str())));
        assert!(status.error.as_ref().unwrap().contains(reason), "{status:?}");
        assert_eq!(bench::delivered(&it).await, "good");
    };
    refused(b"hello", "this is not WebAssembly").await;
    refused(&noted("echo", "other"), "was the component `misdeeds` and is now `echo`").await;
    library.set_check(Arc::new(|component| {
        Err(format!("tenants/acme.toml, sinks.crm: `{}` wants a setting that is missing", component.descriptor().name))
    }));
    refused(&noted("misdeeds", "newer"), "does not fit the configuration: tenants/acme.toml, sinks.crm").await;
    library.set_check(Arc::new(|_| Ok(())));
    put(folder.path(), "it.wasm", &noted("misdeeds", "newest"));
    library.reload().await;
    assert_eq!(library.status()[0].state, State::Loaded);
    assert_ne!(it.component().hash(), hash);
    std::fs::remove_file(folder.path().join("it.wasm")).unwrap();
    library.reload().await;
    assert_eq!(library.status()[0].state, State::Removed);
    assert_eq!(bench::delivered(&it).await, "good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_folder_is_watched() {
    let folder = folder();
    let library = Library::open(bench::runtime(), folder.path()).await;
    library.watch().unwrap();
    let mut changes = library.changes();
    let arrived = async |changes: &mut tokio::sync::watch::Receiver<u64>| {
        tokio::time::timeout(Duration::from_secs(60), changes.changed()).await.expect("nobody noticed").unwrap();
    };
    put(folder.path(), "echo.wasm", &noted("echo", "1"));
    arrived(&mut changes).await;
    let handle = library.get("echo").unwrap();
    let first = handle.component().hash().to_owned();
    // Written in place, in pieces, as `cp` does.
    let bytes = noted("echo", "2");
    let mut file = std::fs::File::create(folder.path().join("echo.wasm")).unwrap();
    for piece in bytes.chunks(bytes.len() / 3) {
        std::io::Write::write_all(&mut file, piece).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    arrived(&mut changes).await;
    assert_ne!(handle.component().hash(), first);
}
