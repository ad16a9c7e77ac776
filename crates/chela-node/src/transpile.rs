//! TypeScript to JavaScript through oxc, cached by content.
//!
//! Types are erased, enums, namespaces, parameter properties and decorators are lowered to what Node runs; nothing is type-checked and
//! no import is followed. JSX is compiled only in `.tsx` and `.jsx` files.

use std::path::{Path, PathBuf};

use chela_plugin::CallError;
use oxc::allocator::Allocator;
use oxc::codegen::{Codegen, CodegenOptions};
use oxc::diagnostics::OxcDiagnostic;
use oxc::parser::Parser;
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use oxc::transformer::{DecoratorOptions, HelperLoaderMode, Module, TransformOptions, Transformer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Part of every cache key: change it whenever the same source must give other code.
const COMPILER: &str = "oxc-0.146.0/1";

/// What decorated classes call. Semantics of TypeScript's `experimentalDecorators`.
const DECORATOR_HELPERS: &str = "const babelHelpers = { \
decorate(list, target, key, desc) { const n = arguments.length; let r = n < 3 ? target : desc === null ? (desc = Object.getOwnPropertyDescriptor(target, key)) : desc; \
for (let i = list.length - 1; i >= 0; i--) { const d = list[i]; if (d) r = (n < 3 ? d(r) : n > 3 ? d(target, key, r) : d(target, key)) || r; } \
if (n > 3 && r) Object.defineProperty(target, key, r); return r; }, \
decorateParam(index, decorator) { return (target, key) => decorator(target, key, index); }, \
decorateMetadata(key, value) { if (typeof Reflect === 'object' && typeof Reflect.metadata === 'function') return Reflect.metadata(key, value); } }; ";

/// Why a file did not compile.
#[derive(Debug, thiserror::Error)]
pub enum TranspileError {
    /// The file cannot be read.
    #[error("`{path}` cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not a file that is compiled.
    #[error("`{path}` is not a TypeScript file (`.ts`, `.mts`, `.cts`, `.tsx`, `.jsx`)")]
    Extension {
        /// The file.
        path: PathBuf,
    },
    /// The source is wrong.
    #[error("{path}:{line}:{column}: {message}", path = path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// Line from 1.
        line: usize,
        /// Column from 1, in characters.
        column: usize,
        /// What is wrong.
        message: String,
    },
}

/// Compiles files and keeps the results.
#[derive(Clone, Debug)]
pub struct Transpiler {
    cache: PathBuf,
}

impl Transpiler {
    /// A compiler with its cache in `cache`, which is made on first use.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into() }
    }

    /// Compiles a file, or takes the result from the cache.
    ///
    /// # Errors
    /// [`TranspileError`] with file, line and column.
    pub fn file(&self, path: &Path) -> Result<String, TranspileError> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if !["ts", "mts", "cts", "tsx", "jsx"].contains(&extension.as_str()) {
            return Err(TranspileError::Extension { path: path.into() });
        }
        let source = fs_err::read_to_string(path).map_err(|source| TranspileError::Read { path: path.into(), source })?;
        let cached = self.cache.join(format!("{}.js", key(&extension, path, &source)));
        if let Ok(code) = fs_err::read_to_string(&cached) {
            return Ok(code);
        }
        let code = compile(path, &source)?;
        if let Err(error) = self.keep(&cached, &code) {
            tracing::debug!("compiled code was not cached: {error}");
        }
        Ok(code)
    }

    fn keep(&self, cached: &Path, code: &str) -> std::io::Result<()> {
        fs_err::create_dir_all(&self.cache)?;
        let scratch = self.cache.join(format!(".{}", uuid::Uuid::new_v4().simple()));
        fs_err::write(&scratch, code)?;
        fs_err::rename(scratch, cached)
    }

    /// Answers `transpile {path}` of the blocking lane.
    pub(crate) async fn serve(&self, params: &Value) -> Result<Value, CallError> {
        let path = params.get("path").and_then(Value::as_str).map(PathBuf::from);
        let path =
            path.filter(|p| p.is_absolute()).ok_or_else(|| CallError::refused("INVALID_PARAMS", "`transpile` needs an absolute `path`"))?;
        let transpiler = self.clone();
        let work = tokio::task::spawn_blocking(move || transpiler.file(&path)).await;
        let code =
            work.map_err(|_| CallError::refused("TRANSPILE", "the TypeScript compiler failed on this file"))?.map_err(|e| thrown(&e))?;
        Ok(json!({ "code": code }))
    }
}

fn thrown(error: &TranspileError) -> CallError {
    let (name, code, data) = match error {
        TranspileError::Source { path, line, column, .. } => {
            ("SyntaxError", "TRANSPILE", Some(json!({ "file": path.to_string_lossy(), "line": line, "column": column })))
        }
        TranspileError::Read { path, .. } => ("Error", "NOT_FOUND", Some(json!({ "file": path.to_string_lossy() }))),
        TranspileError::Extension { path } => ("Error", "INVALID_PARAMS", Some(json!({ "file": path.to_string_lossy() }))),
    };
    CallError::Thrown { name: name.into(), message: error.to_string(), code: Some(code.into()), stack: None, data }
}

/// The path is part of the key because the source map names the file.
fn key(extension: &str, path: &Path, source: &str) -> String {
    let mut hash = Sha256::new();
    for part in [COMPILER, extension, &path.to_string_lossy(), source] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// Compiles one source text; `path` decides the dialect.
///
/// # Errors
/// [`TranspileError::Source`] or [`TranspileError::Extension`].
pub fn compile(path: &Path, source: &str) -> Result<String, TranspileError> {
    let kind = SourceType::from_path(path).map_err(|_| TranspileError::Extension { path: path.into() })?;
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, kind).parse();
    check(path, source, &parsed.diagnostics)?;
    let mut program = parsed.program;
    let semantic = SemanticBuilder::new().with_excess_capacity(2.0).with_enum_eval(true).build(&program);
    check(path, source, &semantic.diagnostics)?;
    let mut options =
        TransformOptions { decorator: DecoratorOptions { legacy: true, ..DecoratorOptions::default() }, ..TransformOptions::default() };
    options.helper_loader.mode = HelperLoaderMode::External;
    if path.extension().is_some_and(|e| e == "cts") {
        options.env.module = Module::CommonJS;
    }
    let done = Transformer::new(&allocator, path, &options).build_with_scoping(semantic.semantic.into_scoping(), &mut program);
    check(path, source, &done.diagnostics)?;
    let options = CodegenOptions { source_map_path: Some(path.to_path_buf()), ..CodegenOptions::default() };
    let printed = Codegen::new().with_options(options).build(&program);
    let mut code = printed.code;
    if code.contains("babelHelpers.") {
        add_helpers(&mut code);
    }
    if let Some(map) = printed.map {
        code.push_str("\n//# sourceMappingURL=");
        code.push_str(&map.to_data_url());
        code.push('\n');
    }
    Ok(code)
}

/// Puts the helpers on the first line, so that the lines of the source map stay true.
fn add_helpers(code: &mut String) {
    let at = if code.starts_with("#!") { code.find('\n').map_or(0, |end| end + 1) } else { 0 };
    code.insert_str(at, DECORATOR_HELPERS);
}

fn check<'a>(path: &Path, source: &str, diagnostics: impl IntoIterator<Item = &'a OxcDiagnostic>) -> Result<(), TranspileError> {
    let Some(first) = diagnostics.into_iter().find(|d| d.severity == oxc::diagnostics::Severity::Error) else {
        return Ok(());
    };
    let offset = first.labels.first().map_or(0, |label| label.offset() as usize);
    let before = source.get(..offset).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let help = first.help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
    Err(TranspileError::Source {
        path: path.into(),
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        message: format!("{}{help}", first.message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(name: &str, source: &str) -> String {
        let code = compile(Path::new(name), source).unwrap();
        code.split("\n//# sourceMappingURL=").next().unwrap().to_string()
    }

    #[test]
    fn types_are_erased_and_what_is_more_than_types_is_lowered() {
        let plain = code(
            "/a/x.ts",
            "import type { A } from 'a';\nimport { b, type C } from 'b';\nexport const f = (x: number): C => b(x as any)!;\ninterface I {}\n",
        );
        assert!(
            plain.contains("import { b } from \"b\"")
                && !plain.contains("number")
                && !plain.contains("interface")
                && !plain.contains("'a'"),
            "{plain}"
        );
        let lowered = code(
            "/a/x.ts",
            "export enum E { A = 1, B }\nexport namespace N { export const x = 1 }\nclass P { constructor(private readonly y: string) {} }\nexport { P };",
        );
        assert!(!lowered.contains("enum") && !lowered.contains("namespace") && lowered.contains("this.y = y"), "{lowered}");
        let decorated = code("/a/x.ts", "function d(t: any) { return t }\n@d export class K { @d m() {} }");
        assert!(decorated.starts_with("const babelHelpers") && decorated.contains("babelHelpers.decorate("), "{decorated}");
        let common = code("/a/x.cts", "import fs = require('fs');\nexport = fs;");
        assert!(common.contains("require(\"fs\")") && common.contains("module.exports = fs"), "{common}");
    }

    #[test]
    fn jsx_needs_its_own_extension() {
        assert!(code("/a/x.tsx", "export const x = <a>hi</a>;").contains("jsx"));
        assert!(compile(Path::new("/a/x.ts"), "export const x = <a>hi</a>;").is_err());
        assert!(code("/a/x.ts", "export const x = <any>y; const y = 1").contains("= y"));
    }

    #[test]
    fn an_error_names_file_line_and_column() {
        let error = compile(Path::new("/p/index.ts"), "const a = 1;\n  const é = ; \n").unwrap_err();
        let TranspileError::Source { line, column, .. } = &error else { panic!("{error}") };
        assert_eq!((*line, *column), (2, 13), "{error}");
        assert!(error.to_string().starts_with("/p/index.ts:2:13: "), "{error}");
    }

    #[tokio::test]
    async fn results_are_cached_by_content_and_errors_carry_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let (file, cache) = (dir.path().join("x.ts"), dir.path().join("cache"));
        let transpiler = Transpiler::new(&cache);
        let entries = || fs_err::read_dir(&cache).map(Iterator::count).unwrap_or(0);
        for (source, count) in [("let a: number = 1", 1), ("let a: number = 1", 1), ("let a: number = 2", 2)] {
            fs_err::write(&file, source).unwrap();
            transpiler.file(&file).unwrap();
            assert_eq!(entries(), count);
        }
        fs_err::write(&file, "const ;").unwrap();
        let error = transpiler.serve(&json!({"path": file.to_str()})).await.unwrap_err();
        let CallError::Thrown { name, data: Some(data), .. } = error else { panic!("{error}") };
        assert_eq!((name.as_str(), &data["line"], &data["column"]), ("SyntaxError", &json!(1), &json!(7)));
        assert_eq!(transpiler.serve(&json!({"path": "x.ts"})).await.unwrap_err().code(), "INVALID_PARAMS");
        assert!(transpiler.file(Path::new("/x.js")).is_err());
    }
}
