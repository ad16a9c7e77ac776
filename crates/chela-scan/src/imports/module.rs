//! What one module imports: each name that it uses of what it loads, however it loads it.

use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::AstKind;
use oxc::ast::ast::{
    Argument, AssignmentTarget, BindingPattern, CallExpression, Expression, ImportDeclaration, ImportDeclarationSpecifier,
    ImportExpression, ObjectPattern, ObjectPropertyKind, StaticMemberExpression, TSModuleReference,
};
use oxc::semantic::{NodeId, Semantic, SemanticBuilder, SymbolId};

use super::Wanted;
use crate::file::{Lines, parse};
use crate::nesting;

/// Names that are followed from one name to the next.
const HOPS: usize = 4;

/// What a module loads.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Relative specifiers.
    pub(super) local: Vec<String>,
    /// Uses of what was asked about.
    pub(super) used: Vec<Used>,
    /// Specifier, name and line of what is imported as a type.
    pub(super) types: Vec<(String, String, usize)>,
    /// Members and options that were asked about, with their line.
    pub(super) forms: Vec<(String, usize)>,
}

/// One use of a specifier.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) specifier: String,
    pub(super) names: Vec<String>,
    /// Its value goes where names cannot be followed.
    pub(super) is_whole: bool,
    pub(super) is_dynamic: bool,
    pub(super) line: usize,
}

/// Reads a module. The error says why it could not be parsed.
pub(super) fn read(path: &Path, source: &str, wanted: Wanted<'_>) -> Result<Found, String> {
    if !nesting::is_sane(source) {
        return Err("nests deeper than any parser should follow".into());
    }
    let allocator = Allocator::default();
    let parsed = parse(&allocator, path, source);
    if let Some(first) = parsed.diagnostics.first() {
        return Err(format!("does not parse ({})", first.message));
    }
    let semantic = SemanticBuilder::new().with_build_nodes(true).build(&parsed.program).semantic;
    let lines = Lines::of(source);
    let typescript = parsed.program.source_type.is_typescript();
    let mut reader = Reader { semantic: &semantic, wanted, lines, typescript, found: Found::default() };
    for node in semantic.nodes().iter() {
        reader.node(node.id(), node.kind());
    }
    Ok(reader.found)
}

/// Names of an object that are used, as far as they can be followed.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    is_whole: bool,
}

impl Names {
    fn add(&mut self, name: &str) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.into());
        }
    }
}

struct Reader<'a, 's> {
    semantic: &'s Semantic<'a>,
    wanted: Wanted<'s>,
    lines: Lines,
    typescript: bool,
    found: Found,
}

impl<'a> Reader<'a, '_> {
    fn node(&mut self, id: NodeId, kind: AstKind<'a>) {
        match kind {
            AstKind::ImportDeclaration(it) => self.import(it),
            AstKind::ExportFromDeclaration(it) => {
                let specifiers = it.specifiers.iter().filter(|one| !one.export_kind.is_type());
                let names = specifiers.map(|one| one.local.name().to_string()).collect();
                if !it.export_kind.is_type() {
                    self.add(it.source.value.as_str(), it.span.start, Names { names, is_whole: false }, false);
                }
            }
            AstKind::ExportAllDeclaration(it) if !it.export_kind.is_type() => {
                self.add(it.source.value.as_str(), it.span.start, Names { names: Vec::new(), is_whole: true }, false);
            }
            AstKind::TSImportEqualsDeclaration(it) => {
                if let TSModuleReference::ExternalModuleReference(module) = &it.module_reference {
                    let mut names = Names::default();
                    self.symbol(it.id.symbol_id.get(), &mut names, HOPS);
                    self.add(module.expression.value.as_str(), it.span.start, names, true);
                }
            }
            AstKind::ImportExpression(it) => self.dynamic_import(id, it),
            AstKind::CallExpression(it) => {
                self.require(id, it);
                self.options(it);
            }
            AstKind::StaticMemberExpression(it) => self.member(it),
            // `new URL("./x.js", import.meta.url)`, `{specifier: "./x.js"}`: a text that names a file of the plugin may load it.
            AstKind::StringLiteral(it) if it.value.starts_with("./") || it.value.starts_with("../") => {
                self.found.local.push(it.value.to_string());
            }
            _ => {}
        }
    }

    fn add(&mut self, specifier: &str, offset: u32, names: Names, is_dynamic: bool) {
        if specifier.starts_with('.') {
            self.found.local.push(specifier.into());
        } else if (self.wanted.specifiers)(specifier) {
            let Names { names, is_whole } = names;
            let line = self.lines.line(offset as usize);
            self.found.used.push(Used { specifier: specifier.into(), names, is_whole, is_dynamic, line });
        }
    }

    fn import(&mut self, it: &ImportDeclaration<'a>) {
        self.types(it);
        if it.import_kind.is_type() {
            return;
        }
        let mut names = Names::default();
        let (mut count, mut types) = (0, 0);
        for specifier in it.specifiers.iter().flatten() {
            count += 1;
            match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(one) => {
                    if one.import_kind.is_type() || self.is_type_only(one.local.symbol_id.get()) {
                        types += 1;
                    } else {
                        names.add(&one.imported.name());
                    }
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(one) => {
                    if self.is_type_only(one.local.symbol_id.get()) {
                        types += 1;
                    } else {
                        names.add("default");
                    }
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(one) => {
                    if self.is_type_only(one.local.symbol_id.get()) {
                        types += 1;
                    } else {
                        self.symbol(one.local.symbol_id.get(), &mut names, HOPS);
                    }
                }
            }
        }
        // An import of nothing but types is no import when it runs.
        if count == 0 || types < count {
            self.add(it.source.value.as_str(), it.span.start, names, false);
        } else if it.source.value.starts_with('.') {
            self.found.local.push(it.source.value.to_string());
        }
    }

    /// Notes the names that are imported as types.
    fn types(&mut self, it: &ImportDeclaration<'a>) {
        let specifier = it.source.value.as_str();
        if !(self.wanted.specifiers)(specifier) {
            return;
        }
        for one in it.specifiers.iter().flatten() {
            let ImportDeclarationSpecifier::ImportSpecifier(one) = one else { continue };
            if it.import_kind.is_type() || one.import_kind.is_type() || self.is_type_only(one.local.symbol_id.get()) {
                let line = self.lines.line(one.span.start as usize);
                self.found.types.push((specifier.into(), one.imported.name().to_string(), line));
            }
        }
    }

    /// Notes a chain of members that ends as one of those asked about.
    fn member(&mut self, it: &StaticMemberExpression<'a>) {
        let last = it.property.name.as_str();
        let ends = |form: &&&str| form.rsplit('.').next() == Some(last);
        let Some(form) = self.wanted.members.iter().filter(ends).find(|form| is_chain(it, form)) else { return };
        let line = self.lines.line(it.span.start as usize);
        self.found.forms.push(((*form).into(), line));
    }

    /// Notes a call with an option that was asked about.
    fn options(&mut self, it: &CallExpression<'a>) {
        let name = match it.callee.get_inner_expression() {
            Expression::Identifier(name) => name.name.as_str(),
            Expression::StaticMemberExpression(member) => member.property.name.as_str(),
            _ => return,
        };
        for form in self.wanted.options {
            let Some((function, member)) = form.trim_end_matches("})").split_once("({") else { continue };
            if function != name {
                continue;
            }
            let Some(Argument::ObjectExpression(object)) = it.arguments.first() else { continue };
            let has = object.properties.iter().any(|one| match one {
                ObjectPropertyKind::ObjectProperty(one) => one.key.static_name().is_some_and(|key| key == member),
                ObjectPropertyKind::SpreadProperty(_) => false,
            });
            if has {
                self.found.forms.push(((*form).into(), self.lines.line(it.span.start as usize)));
            }
        }
    }

    /// Whether a name is only used as a type, which the compiler drops.
    fn is_type_only(&self, symbol: Option<SymbolId>) -> bool {
        let Some(symbol) = symbol.filter(|_| self.typescript) else { return false };
        !self.semantic.scoping().get_resolved_references(symbol).any(|reference| reference.is_value())
    }

    fn dynamic_import(&mut self, id: NodeId, it: &ImportExpression<'a>) {
        let Some(specifier) = constant(&it.source) else { return };
        let mut names = Names::default();
        self.promise(id, &mut names);
        self.add(specifier, it.span.start, names, true);
    }

    fn require(&mut self, id: NodeId, it: &CallExpression<'a>) {
        let Some(specifier) = it.arguments.first().and_then(text) else { return };
        // `require`, `createRequire(..)("x")`, `require2("x")`
        let loads = match it.callee.get_inner_expression() {
            Expression::Identifier(name) => name.name.to_ascii_lowercase().contains("require"),
            Expression::CallExpression(call) => {
                matches!(call.callee.get_inner_expression(), Expression::Identifier(name) if name.name.contains("createRequire"))
            }
            _ => false,
        };
        if !loads {
            return;
        }
        let mut names = Names::default();
        self.value(id, &mut names, HOPS);
        self.add(specifier, it.span.start, names, true);
    }

    /// Follows a promise of a module: `await`, and the first argument of `then`.
    fn promise(&self, id: NodeId, names: &mut Names) {
        let nodes = self.semantic.nodes();
        let parent = nodes.parent_id(id);
        match nodes.kind(parent) {
            AstKind::AwaitExpression(_) => self.value(parent, names, HOPS),
            AstKind::ParenthesizedExpression(_) => self.promise(parent, names),
            AstKind::StaticMemberExpression(member) if member.property.name == "then" => {
                let call = nodes.parent_id(parent);
                let handler = match nodes.kind(call) {
                    AstKind::CallExpression(call) => call.arguments.first(),
                    _ => None,
                };
                let parameter = match handler {
                    Some(Argument::ArrowFunctionExpression(function)) => function.params.items.first(),
                    Some(Argument::FunctionExpression(function)) => function.params.items.first(),
                    _ => return names.is_whole = true,
                };
                if let Some(parameter) = parameter {
                    self.binding(&parameter.pattern, names, HOPS);
                }
            }
            // Loaded for its effects.
            AstKind::ExpressionStatement(_) => {}
            _ => names.is_whole = true,
        }
    }

    /// Follows the value of an expression one step up.
    fn value(&self, id: NodeId, names: &mut Names, hops: usize) {
        let nodes = self.semantic.nodes();
        let parent = nodes.parent_id(id);
        match nodes.kind(parent) {
            AstKind::StaticMemberExpression(member) => names.add(member.property.name.as_str()),
            AstKind::ComputedMemberExpression(member) => match member.static_property_name() {
                Some(name) => names.add(name.as_str()),
                None => names.is_whole = true,
            },
            AstKind::VariableDeclarator(declared) => self.binding(&declared.id, names, hops),
            AstKind::AssignmentExpression(assigned) => match &assigned.left {
                AssignmentTarget::AssignmentTargetIdentifier(name) if hops > 0 => {
                    let symbol = name.reference_id.get().and_then(|id| self.semantic.scoping().get_reference(id).symbol_id());
                    self.symbol(symbol, names, hops - 1);
                }
                _ => names.is_whole = true,
            },
            AstKind::ParenthesizedExpression(_)
            | AstKind::TSAsExpression(_)
            | AstKind::TSNonNullExpression(_)
            | AstKind::TSSatisfiesExpression(_)
            | AstKind::TSTypeAssertion(_)
            | AstKind::ChainExpression(_)
            | AstKind::AwaitExpression(_) => self.value(parent, names, hops),
            // `__toESM(require("x"))`, `_interopRequireWildcard(require("x"))`: the helpers of bundlers give the module back.
            AstKind::CallExpression(call) if is_interop(call) && hops > 0 => self.value(parent, names, hops - 1),
            AstKind::ExpressionStatement(_) => {}
            _ => names.is_whole = true,
        }
    }

    fn binding(&self, pattern: &BindingPattern<'a>, names: &mut Names, hops: usize) {
        match pattern {
            BindingPattern::BindingIdentifier(name) if hops > 0 => self.symbol(name.symbol_id.get(), names, hops - 1),
            BindingPattern::ObjectPattern(object) => destructured(object, names),
            _ => names.is_whole = true,
        }
    }

    /// Follows a name that stands for the module.
    fn symbol(&self, symbol: Option<SymbolId>, names: &mut Names, hops: usize) {
        let Some(symbol) = symbol else {
            names.is_whole = true;
            return;
        };
        for reference in self.semantic.scoping().get_resolved_references(symbol) {
            if reference.is_read() && reference.is_value() {
                self.value(reference.node_id(), names, hops);
            }
        }
    }
}

/// Whether the last members of an expression are those of `form`, with dots between them; its first one may be a plain name.
fn is_chain(it: &StaticMemberExpression<'_>, form: &str) -> bool {
    let mut wanted = form.rsplit('.');
    if wanted.next() != Some(it.property.name.as_str()) {
        return false;
    }
    let mut object = &it.object;
    for part in wanted {
        match object.get_inner_expression() {
            Expression::StaticMemberExpression(member) if member.property.name == part => object = &member.object,
            // Nothing stands before a plain name, so a further part fits nothing.
            Expression::Identifier(name) if name.name == part => {
                return form.split('.').next() == Some(part);
            }
            _ => return false,
        }
    }
    true
}

fn destructured(object: &ObjectPattern<'_>, names: &mut Names) {
    for property in &object.properties {
        match property.key.static_name() {
            Some(name) => names.add(&name),
            None => names.is_whole = true,
        }
    }
    names.is_whole |= object.rest.is_some();
}

fn is_interop(call: &CallExpression<'_>) -> bool {
    let Expression::Identifier(name) = call.callee.get_inner_expression() else { return false };
    let name = name.name.as_str();
    name.starts_with("__toESM") || name.starts_with("_interop") || name.starts_with("__importStar") || name.starts_with("__importDefault")
}

fn text<'t, 'a>(argument: &'t Argument<'a>) -> Option<&'t str> {
    argument.as_expression().and_then(constant)
}

fn constant<'t>(expression: &'t Expression<'_>) -> Option<&'t str> {
    match expression.get_inner_expression() {
        Expression::StringLiteral(text) => Some(text.value.as_str()),
        Expression::TemplateLiteral(text) if text.expressions.is_empty() => text.quasis.first()?.value.cooked.as_ref().map(|s| s.as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(name: &str, source: &str) -> (Vec<String>, bool, bool) {
        let wanted = Wanted { specifiers: &|specifier| specifier == "sdk/x", members: &[], options: &[] };
        let found = read(Path::new(name), source, wanted).unwrap();
        let mut names: Vec<String> = found.used.iter().flat_map(|used| used.names.clone()).collect();
        names.sort();
        (names, found.used.iter().any(|used| used.is_whole), found.used.iter().any(|used| used.is_dynamic))
    }

    #[test]
    fn names_are_followed_through_every_way_of_loading() {
        let table: [(&str, &str, &[&str], bool, bool); 22] = [
            ("a.mjs", "import { a, b as c } from 'sdk/x';", &["a", "b"], false, false),
            ("a.mjs", "import d, { default as e, 'f' as g } from 'sdk/x';", &["default", "f"], false, false),
            ("a.mjs", "import * as x from 'sdk/x'; x.a(); x['b']; const { c, ...rest } = x;", &["a", "b", "c"], true, false),
            ("a.mjs", "import * as x from 'sdk/x'; const y = x; y.a();", &["a"], false, false),
            ("a.mjs", "import * as x from 'sdk/x'; f(x); x.a;", &["a"], true, false),
            ("a.mjs", "export * from 'sdk/x';", &[], true, false),
            ("a.mjs", "import 'sdk/x';", &[], false, false),
            ("a.mjs", "const { a } = await import('sdk/x');", &["a"], false, true),
            ("a.mjs", "(await import(`sdk/x`)).a();", &["a"], false, true),
            ("a.mjs", "import('sdk/x').then(({ a, b: c }) => a(c));", &["a", "b"], false, true),
            ("a.mjs", "import('sdk/x').then((m) => m.a);", &["a"], false, true),
            ("a.mjs", "let m; m = await import('sdk/x'); m.a(); m?.b;", &["a", "b"], false, true),
            ("a.mjs", "export const load = () => import('sdk/x');", &[], true, true),
            ("a.cjs", "const { a } = require('sdk/x'); const x = require('sdk/x'); x.b();", &["a", "b"], false, true),
            ("a.cjs", "var x = __toESM(require('sdk/x')); (0, x.a)();", &["a"], false, true),
            ("a.mjs", "const require2 = createRequire(import.meta.url); require2('sdk/x').a;", &["a"], false, true),
            ("a.ts", "import type { T } from 'sdk/x';", &[], false, false),
            ("a.ts", "import { T, a, type U } from 'sdk/x'; const x: T = a;", &["a"], false, false),
            ("a.ts", "import { T } from 'sdk/x'; let x: T;", &[], false, false),
            ("a.ts", "import x = require('sdk/x'); x.a();", &["a"], false, true),
            ("a.ts", "const x = (await import('sdk/x')) as any; x.a!.b;", &["a"], false, true),
            ("a.ts", "export type { T } from 'sdk/x'; export { type U, a } from 'sdk/x';", &["a"], false, false),
        ];
        for (name, source, names, whole, dynamic) in table {
            let want = (names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), whole, dynamic);
            assert_eq!(used(name, source), want, "{source}");
        }
    }

    #[test]
    fn text_that_only_looks_like_an_import_is_none() {
        let source = "// import { a } from 'sdk/x';\nconst t = \"import { b } from 'sdk/x'\"; log('sdk/x');";
        assert_eq!(used("a.mjs", source), (vec![], false, false));
        let wanted = Wanted { specifiers: &|_| true, members: &[], options: &[] };
        let found = read(Path::new("a.ts"), "import { T } from 'sdk/x'; let x: T;", wanted).unwrap();
        assert!(found.used.is_empty(), "a type needs nothing when it runs: {found:?}");
    }
}
