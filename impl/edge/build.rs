//! Turns `impl/browser/dist` into a table of files that the edge embeds, with gzip copies and
//! entity tags.

use std::{env, error::Error, fmt::Write as _, fs, io::Write as _, path::Path};

use data_encoding::HEXLOWER;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

fn main() -> Result<(), Box<dyn Error>> {
    let dist = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../browser/dist");
    let out = env::var("OUT_DIR")?;
    println!("cargo::rerun-if-changed={}", dist.display());
    let manifest = fs::read(dist.join("manifest.json")).map_err(|error| {
        format!(
            "read {}/manifest.json: {error}; build the browser client: npm --prefix impl/browser \
             run build",
            dist.display()
        )
    })?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
    let files = manifest["files"]
        .as_array()
        .ok_or("manifest.json has no \"files\"")?;
    let mut table = String::from("&[\n");
    for (number, file) in files.iter().enumerate() {
        let text = |key: &str| {
            file[key]
                .as_str()
                .ok_or(format!("manifest.json: no {key:?}"))
        };
        let path = text("path")?;
        let immutable = file["immutable"]
            .as_bool()
            .ok_or("manifest.json: no \"immutable\"")?;
        let source = dist.join(path);
        println!("cargo::rerun-if-changed={}", source.display());
        let contents = fs::read(&source).map_err(|error| format!("read {path}: {error}"))?;
        // A copy: what is embedded is what was hashed, even while the client is built anew.
        let plain = Path::new(&out).join(format!("{number}.plain"));
        fs::write(&plain, &contents)?;
        let tag = HEXLOWER.encode(&Sha256::digest(&contents)[..12]);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&contents)?;
        let packed = Path::new(&out).join(format!("{number}.gz"));
        fs::write(&packed, encoder.finish()?)?;
        writeln!(
            table,
            "    Asset {{ path: {path:?}, content_type: {:?}, immutable: {immutable}, \
             tag: \"\\\"{tag}\\\"\", contents: include_bytes!({plain:?}), \
             gzip: include_bytes!({packed:?}) }},",
            text("content_type")?,
        )?;
    }
    table.push(']');
    fs::write(Path::new(&out).join("assets.rs"), table)?;
    Ok(())
}
