//! From a file to a component: read, looked at, compiled, linked, described. Each step has its own refusal.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::types::ComponentItem;

use super::component::{Component, LoadError, Port};
use super::context::Context;
use super::contract::{Abilities, Ability};
use super::descriptor;
use super::limits::Limits;
use super::question::{Describe, Ready};
use super::runtime::Runtime;
use super::state::Call;
use super::v1;

impl Runtime {
    /// Reads, compiles (or takes from the cache), looks at and describes a file.
    pub async fn load(self: &Arc<Self>, path: &Path) -> Result<Arc<Component>, LoadError> {
        let file = path.display().to_string();
        let most = self.options.file_size;
        let (reading, named) = (path.to_owned(), file.clone());
        let read = tokio::task::spawn_blocking(move || read(&reading, &named, most)).await;
        let bytes = read.unwrap_or_else(|error| Err(unreadable(&file, std::io::Error::other(error))))?;
        let hash = hex::encode(Sha256::digest(&bytes));
        let size = bytes.len() as u64;
        let compiled = self.compile(&file, &hash, bytes).await?;
        let (imports, exports) = ports(&compiled, &self.engine);
        let abilities = look(&file, &imports, &exports)?;
        let ready = self.link(&file, &compiled, abilities, &imports)?;
        let mut component = Component {
            descriptor: descriptor::unknown(),
            schemas: None,
            abilities,
            hash,
            path: path.to_owned(),
            size,
            imports,
            exports,
            ready,
        };
        self.describe(&file, &mut component).await?;
        Ok(Arc::new(component))
    }

    /// Compiles in a thread of its own, one file at a time. Compilation cannot be broken off; when it takes too long,
    /// nobody waits for it any more.
    async fn compile(
        self: &Arc<Self>,
        file: &str,
        hash: &str,
        bytes: Vec<u8>,
    ) -> Result<wasmtime::component::Component, LoadError> {
        let refused = |why: String| LoadError::Compile { file: file.to_owned(), why };
        let _turn = self.compiling.acquire().await.map_err(|error| refused(error.to_string()))?;
        let (runtime, hash) = (self.clone(), hash.to_owned());
        let compiling = tokio::task::spawn_blocking(move || {
            if let Some(compiled) = runtime.cache.as_ref().and_then(|cache| cache.get(&runtime.engine, &hash)) {
                return Ok(compiled);
            }
            let compiled = wasmtime::component::Component::from_binary(&runtime.engine, &bytes)?;
            if let Some(cache) = &runtime.cache {
                cache.put(&hash, &compiled);
            }
            Ok::<_, wasmtime::Error>(compiled)
        });
        let wait = self.options.compile_time;
        match tokio::time::timeout(wait, compiling).await {
            Ok(Ok(Ok(compiled))) => Ok(compiled),
            Ok(Ok(Err(error))) => Err(refused(format!("{error:#}"))),
            Ok(Err(panicked)) => Err(refused(panicked.to_string())),
            Err(_) => Err(refused(format!("it takes longer than {} s", wait.as_secs_f64()))),
        }
    }

    fn link(
        &self,
        file: &str,
        compiled: &wasmtime::component::Component,
        abilities: Abilities,
        imports: &[Port],
    ) -> Result<Ready, LoadError> {
        let pre = self.linker_v1.instantiate_pre(compiled).map_err(|error| unlinked(file, imports, &error))?;
        let able = |ability| abilities.has(ability);
        let ready = v1::Ready::new(pre, able)
            .map_err(|error| LoadError::Contract { file: file.to_owned(), why: format!("{error:#}") })?;
        Ok(Ready::V1(ready))
    }

    async fn describe(self: &Arc<Self>, file: &str, component: &mut Component) -> Result<(), LoadError> {
        let limits = Limits { timeout: self.options.describe_time, requests: 0, ..Limits::default() };
        let name = component.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let context = Arc::new(Context::nowhere(&name, limits, self.world()));
        let asking = async {
            let mut instance = self.start(component, Call::new(context)).await?;
            instance.live.ask(Describe, self.options.describe_time).await
        };
        let said = asking.await.map_err(|fault| LoadError::Describe { file: file.to_owned(), fault })?;
        let schemas = descriptor::check(&said).map_err(|why| LoadError::Descriptor { file: file.to_owned(), why })?;
        component.descriptor = said;
        component.schemas = Some(schemas);
        Ok(())
    }
}

/// Reads a file that may be a component; one that is too large is not read at all.
fn read(path: &Path, file: &str, most: u64) -> Result<Vec<u8>, LoadError> {
    let opened = std::fs::File::open(path).map_err(|why| unreadable(file, why))?;
    let about = opened.metadata().map_err(|why| unreadable(file, why))?;
    if !about.is_file() {
        return Err(unreadable(file, std::io::Error::other("this is no file")));
    }
    let too_large =
        |size: u64| LoadError::Size { file: file.to_owned(), size: size.div_ceil(1 << 20), limit: most >> 20 };
    if about.len() > most {
        return Err(too_large(about.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
    opened.take(most + 1).read_to_end(&mut bytes).map_err(|why| unreadable(file, why))?;
    if bytes.len() as u64 > most {
        return Err(too_large(bytes.len() as u64));
    }
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => Ok(bytes),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(LoadError::CoreModule { file: file.to_owned() }),
        Some([0x7f, b'E', b'L', b'F', ..]) => Err(LoadError::Precompiled { file: file.to_owned() }),
        _ if bytes.is_empty() => Err(LoadError::Empty { file: file.to_owned() }),
        _ => {
            let start = bytes[..bytes.len().min(8)].escape_ascii().to_string();
            Err(LoadError::NotWasm { file: file.to_owned(), start })
        }
    }
}

fn unreadable(file: &str, why: std::io::Error) -> LoadError {
    LoadError::Read { file: file.to_owned(), why }
}

fn ports(compiled: &wasmtime::component::Component, engine: &wasmtime::Engine) -> (Vec<Port>, Vec<Port>) {
    let port = |name: &str, item: ComponentItem| {
        let functions = match item {
            ComponentItem::ComponentInstance(interface) => interface
                .exports(engine)
                .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
                .map(|(name, _)| name.to_owned())
                .collect(),
            _ => Vec::new(),
        };
        Port { name: name.to_owned(), functions }
    };
    let kind = compiled.component_type();
    let imports = kind.imports(engine).map(|(name, item)| port(name, item.ty)).collect();
    let exports = kind.exports(engine).map(|(name, item)| port(name, item.ty)).collect();
    (imports, exports)
}

/// Finds what the component can do by its type alone.
fn look(file: &str, imports: &[Port], exports: &[Port]) -> Result<Abilities, LoadError> {
    let ours = |port: &Port| {
        let (interface, version) = port.name.strip_prefix(v1::PACKAGE)?.split_once('@')?;
        Some((interface.to_owned(), version == v1::VERSION))
    };
    for port in exports.iter().chain(imports) {
        if ours(port).is_some_and(|(_, fits)| !fits) {
            return Err(LoadError::Version { file: file.to_owned(), interface: port.name.clone() });
        }
    }
    let interfaces: Vec<String> = exports.iter().filter_map(|port| Some(ours(port)?.0)).collect();
    let named = |word: &str| interfaces.iter().any(|interface| interface == word);
    let abilities: Abilities = Ability::ALL.into_iter().filter(|ability| named(ability.word())).collect();
    if abilities.is_empty() || !named("about") {
        let names: Vec<&str> = exports.iter().map(|port| port.name.as_str()).collect();
        let exports = match (abilities.is_empty(), names.is_empty()) {
            (false, _) => "it has no `about`, which every component exports".to_owned(),
            (true, true) => "it exports nothing".to_owned(),
            (true, false) => format!("it exports only {}", names.join(", ")),
        };
        return Err(LoadError::NoInterface { file: file.to_owned(), exports });
    }
    Ok(abilities)
}

/// Names the import that the hub does not have.
fn unlinked(file: &str, imports: &[Port], error: &wasmtime::Error) -> LoadError {
    let said = format!("{error:#}");
    let wanted = imports.iter().find(|port| said.contains(&format!("`{}`", port.name)));
    let Some(port) = wanted else {
        return LoadError::Contract { file: file.to_owned(), why: said };
    };
    let hint = if port.name.starts_with("wasi:") && port.name.contains("@0.3") {
        "; build it for WASI 0.2".to_owned()
    } else {
        format!(" ({said})")
    };
    LoadError::Import { file: file.to_owned(), import: port.name.clone(), hint }
}
