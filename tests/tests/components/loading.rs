//! What is a component, and each way of not being one.

use std::path::{Path, PathBuf};

use cordboard::components::LoadError;
use cordboard::components::contract::Ability;
use cordboard_tests::built::component;
use serde_json::json;

use crate::bench;

/// A component that exports `about` and `sink` by name; its start function does what `start` says.
pub fn shaped(version: &str, start: &str) -> String {
    format!(
        r#"(component
            (core module $m
                (table $t 1 funcref)
                (memory 1)
                (func $start {start})
                (start $start)
                (func (export "f")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $about (export "describe" (func $f)))
            (instance $sink (export "deliver" (func $f)) (export "check" (func $f)))
            (export "cordboard:hub/about@{version}" (instance $about))
            (export "cordboard:hub/sink@{version}" (instance $sink)))"#
    )
}

async fn refused(bytes: impl AsRef<[u8]>) -> LoadError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.wasm");
    std::fs::write(&path, bytes).unwrap();
    refused_file(&path).await
}

async fn refused_file(path: &Path) -> LoadError {
    let error = bench::runtime().load(path).await.err().expect("it was taken");
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    error
}

async fn refused_text(text: &str) -> LoadError {
    refused(wat::parse_str(text).unwrap()).await
}

#[tokio::test]
async fn a_component_is_known_by_its_type_and_its_words() {
    let component = bench::load(&bench::runtime(), "echo").await;
    let said = component.descriptor();
    assert_eq!((said.name.as_str(), said.batch), ("echo", 10));
    assert!(Ability::ALL.into_iter().all(|ability| component.abilities().has(ability)));
    assert_eq!(component.hash().len(), 64);
    let sink = component.exports().iter().find(|port| port.name == "cordboard:hub/sink@1.0.0").unwrap();
    assert_eq!(sink.functions, ["deliver", "check"]);
    assert!(component.imports().iter().any(|port| port.name == "cordboard:hub/host@1.0.0"));
    let other = bench::load(&bench::runtime(), "misdeeds").await;
    assert_eq!(other.abilities().to_string(), "webhook, sink");
}

#[tokio::test]
async fn settings_are_checked_against_the_components_own_schema() {
    let component = bench::load(&bench::runtime(), "echo").await;
    assert!(component.mistakes(&json!({"secret": "x", "number": 1})).is_empty());
    let mistakes = component.mistakes(&json!({"secret": 17, "number": 0, "nmuber": 2}));
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    assert!(mistakes.iter().any(|mistake| mistake.pointer == "/secret"));
    assert!(mistakes.iter().all(|mistake| !mistake.what.contains("17")), "{mistakes:?}");
}

#[tokio::test]
async fn jobs_are_given_what_the_component_says_and_nothing_else() {
    let given = |parameters: serde_json::Value| parameters.as_object().cloned().unwrap();
    let silent = bench::load(&bench::runtime(), "echo").await;
    assert_eq!(silent.jobs(), None);
    assert!(silent.job_mistakes("sync", &given(json!({}))).is_empty());
    assert_eq!(silent.job_mistakes("sync", &given(json!({"since": "x"}))).len(), 1);
}

#[tokio::test]
async fn another_version_of_the_contract_is_named() {
    for version in ["2.0.0", "0.9.0", "1.1.0"] {
        let error = refused_text(&shaped(version, "")).await;
        assert!(matches!(&error, LoadError::Version { interface, .. } if interface.ends_with(version)), "{error}");
        assert!(error.to_string().contains("this hub speaks cordboard:hub@1.0.0"), "{error}");
    }
}

#[tokio::test]
async fn a_component_of_another_kind_is_named() {
    let error = refused_text(
        r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f"))) (instance $run (export "run" (func $f)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#,
    )
    .await;
    assert!(matches!(error, LoadError::NoInterface { .. }), "{error}");
    assert!(error.to_string().contains("it exports only wasi:cli/run@0.2.0"), "{error}");
    let error = refused_text("(component)").await;
    assert!(error.to_string().contains("it exports nothing"), "{error}");
}

#[tokio::test]
async fn what_the_hub_does_not_have_is_named() {
    let text = shaped("1.0.0", "").replacen(
        "(component",
        r#"(component (import "acme:things/api@1.0.0" (instance (export "f" (func))))"#,
        1,
    );
    let error = refused_text(&text).await;
    assert!(matches!(&error, LoadError::Import { import, .. } if import == "acme:things/api@1.0.0"), "{error}");
}

#[tokio::test]
async fn what_is_no_component_is_told_apart() {
    assert!(matches!(refused("hello").await, LoadError::NotWasm { .. }));
    assert!(matches!(refused("").await, LoadError::Empty { .. }));
    assert!(matches!(refused_text("(module)").await, LoadError::CoreModule { .. }));
    assert!(matches!(refused(b"\0asm\x0d\0\x01\0\xff\xff\xff").await, LoadError::Compile { .. }));
    assert!(matches!(refused_file(Path::new("/nowhere/it.wasm")).await, LoadError::Read { .. }));
    let error = refused(b"\x7fELF\x02\x01\x01\0 and so on").await;
    assert!(matches!(error, LoadError::Precompiled { .. }), "{error}");
}

#[tokio::test]
async fn what_wasmtime_compiled_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    let runtime = bench::runtime_with(|options| options.cache = Some(cache.clone()));
    bench::load(&runtime, "echo").await;
    let compiled = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let error = runtime.load(&compiled).await.err().unwrap();
    assert!(matches!(error, LoadError::Precompiled { .. }), "{error}");
}

#[tokio::test]
async fn compiling_has_its_time() {
    let runtime = bench::runtime_with(|options| {
        options.cache = None;
        options.compile_time = std::time::Duration::from_millis(1);
    });
    let error = runtime.load(&component("echo")).await.err().expect("it was waited for");
    assert!(matches!(error, LoadError::Compile { .. }), "{error}");
    assert!(error.to_string().ends_with("it takes longer than 0.001 s"), "{error}");
}

#[tokio::test]
async fn a_huge_file_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.wasm");
    std::fs::File::create(&path).unwrap().set_len(200 << 20).unwrap();
    let error = refused_file(&path).await;
    assert!(matches!(error, LoadError::Size { size: 200, limit: 64, .. }), "{error}");
}

#[tokio::test]
async fn harm_done_at_the_start_is_contained_too() {
    let runtime = bench::runtime_with(|options| options.describe_time = std::time::Duration::from_secs(1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.wasm");
    for (start, expected) in [
        ("(loop $again (br $again))", "did not finish within 1 s"),
        (
            "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
            "MiB of memory",
        ),
        ("unreachable", "could not be started"),
    ] {
        std::fs::write(&path, wat::parse_str(shaped("1.0.0", start)).unwrap()).unwrap();
        let error = runtime.load(&path).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn an_interface_of_another_shape_is_a_fault_of_the_component() {
    let error = refused_text(&shaped("1.0.0", "")).await;
    assert!(matches!(error, LoadError::Describe { .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_cache_is_compiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    let start = || bench::runtime_with(|options| options.cache = Some(cache.clone()));
    let entries =
        || -> Vec<PathBuf> { std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect() };
    bench::load(&start(), "echo").await;
    let [entry] = entries().try_into().unwrap();
    let written = std::fs::metadata(&entry).unwrap().modified().unwrap();
    #[cfg(unix)]
    {
        let mode =
            |path: &Path| std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
        assert_eq!((mode(&cache) & 0o777, mode(&entry) & 0o777), (0o700, 0o600));
    }
    bench::load(&start(), "echo").await;
    assert_eq!(std::fs::metadata(&entry).unwrap().modified().unwrap(), written, "it was compiled again");
    let mut code = std::fs::read(&entry).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 0xff;
    std::fs::write(&entry, &code).unwrap();
    bench::load(&start(), "echo").await;
    assert_eq!(entries(), std::slice::from_ref(&entry));
    assert_ne!(std::fs::read(&entry).unwrap(), code, "the damaged entry is still there");
    std::fs::write(&entry, "not machine code").unwrap();
    bench::load(&start(), "echo").await;
}

#[tokio::test]
async fn the_oldest_components_load_for_ever() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/contract-1.0.0");
    let runtime = bench::runtime();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            let component = runtime.load(&path).await.unwrap();
            let it = bench::used(&runtime, &component, bench::options(json!({}), &[]));
            assert_eq!(bench::delivered(&it).await, "c-1", "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn the_test_components_are_where_they_are_looked_for() {
    assert!(component("echo").is_file());
}
