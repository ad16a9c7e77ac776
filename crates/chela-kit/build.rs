//! Packs the lists of what releases of the reference export: plain they would be a noticeable part of the binary.

use std::io::Write;
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let lists = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../fixtures/sdk");
    println!("cargo:rerun-if-changed={}", lists.display());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    for list in ["exports-2026.5.12.json", "exports-2026.6.11.json", "types-2026.6.11.json"] {
        let text = std::fs::read(lists.join(list))?;
        let file = std::fs::File::create(out.join(format!("{list}.gz")))?;
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        packed.write_all(&text)?;
        packed.finish()?;
    }
    Ok(())
}
