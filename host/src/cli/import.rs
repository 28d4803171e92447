//! `cordboard import`: another connector's configuration as a tenant's file.
#![expect(clippy::print_stdout, reason = "the answer to the person who asked")]

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::import::{self, Draft, Left};

/// What `import` is given.
#[derive(clap::Args)]
pub struct Arguments {
    /// What the file is of
    #[command(subcommand)]
    from: Whose,
}

/// Whose configuration is read.
#[derive(clap::Subcommand)]
enum Whose {
    /// config.yml of amocrm_asterisk_ng
    AmocrmAsteriskNg {
        #[command(flatten)]
        common: Common,
        /// The file with its tokens, which `backup_file_path` names
        #[arg(long, value_name = "FILE")]
        tokens: Option<PathBuf>,
    },
    /// The .env of a middleware that logs posted calls in Vtiger
    VtigerMiddleware {
        #[command(flatten)]
        common: Common,
    },
    /// The .env of a listener at a FreePBX's manager interface
    FreepbxListener {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(clap::Args)]
struct Common {
    /// The file to read
    file: PathBuf,
    /// The tenant's name: what is written is tenants/NAME.toml and secrets/NAME/
    #[arg(long, default_value = "imported")]
    tenant: String,
}

/// Reads the file and writes the tenant's; what is there already is not overwritten.
pub fn run(folder: &Path, Arguments { from }: &Arguments) -> Result<(), Failure> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()));
    let of = |path: &Path, why: import::ImportError| format!("{}: {why}", path.display());
    let draft = match from {
        Whose::AmocrmAsteriskNg { common: Common { file, tenant }, tokens } => {
            let tokens = tokens.as_deref().map(read).transpose()?;
            import::asterisk_ng(&read(file)?, tokens.as_deref(), tenant).map_err(|why| of(file, why))?
        }
        Whose::VtigerMiddleware { common: Common { file, tenant } } => {
            import::vtiger_middleware(&read(file)?, tenant).map_err(|why| of(file, why))?
        }
        Whose::FreepbxListener { common: Common { file, tenant } } => {
            import::freepbx_listener(&read(file)?, tenant).map_err(|why| of(file, why))?
        }
    };
    write(folder, &draft)?;
    if !draft.left.is_empty() {
        println!("\nNot carried over, or not as it was:");
        for Left { key, why } in &draft.left {
            println!("  {key}: {why}");
        }
    }
    println!("\nNext:");
    for step in &draft.steps {
        println!("  - {step}");
    }
    println!("  - `cordboard check --config {}`", folder.display());
    Ok(())
}

fn write(folder: &Path, draft: &Draft) -> Result<(), Failure> {
    let tenants = folder.join("tenants");
    let secrets = folder.join("secrets").join(&draft.tenant);
    std::fs::create_dir_all(&tenants).map_err(|why| format!("{}: {why}", tenants.display()))?;
    let file = tenants.join(format!("{}.toml", draft.tenant));
    if file.exists() {
        return Err(format!("{} is there already: choose another name with `--tenant`", file.display()).into());
    }
    let private = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&secrets);
    private.map_err(|why| format!("{}: {why}", secrets.display()))?;
    for (name, value) in &draft.secrets {
        put(&secrets.join(name), value, 0o600)?;
    }
    put(&file, &draft.text, 0o644)
}

fn put(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|why| format!("{}: {why}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}
