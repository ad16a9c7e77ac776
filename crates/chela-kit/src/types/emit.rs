//! One file of the SDK as an ambient module.

use std::collections::HashMap;

use oxc::allocator::Allocator;
use oxc::ast::ast::{
    BindingPattern, Class, ClassElement, Declaration, ExportDefaultDeclarationKind, Expression, FormalParameters, Function,
    ImportDeclarationSpecifier, MethodDefinitionKind, Program, Statement, VariableDeclarator,
};
use oxc::parser::Parser;
use oxc::span::{GetSpan, SourceType};

use super::jsdoc::{self, Doc};
use super::module_name;
use crate::sdk::Exports;

/// Words that no constant can have as its name.
const RESERVED: [&str; 15] = [
    "catch",
    "class",
    "const",
    "delete",
    "do",
    "enum",
    "export",
    "extends",
    "function",
    "in",
    "instanceof",
    "new",
    "null",
    "undefined",
    "void",
];

/// What a file declares.
pub(super) struct Module {
    /// The body of its block.
    pub(super) text: String,
    /// Files that it refers to.
    pub(super) needs: Vec<String>,
}

/// Declares the exports of a file. `None` when it does not parse.
pub(super) fn module(file: &str, source: &str, carried: &Exports) -> Option<Module> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::mjs()).parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() {
        return None;
    }
    let mut emitter =
        Emitter { file, source, program: &parsed.program, carried, out: String::new(), needs: Vec::new(), imported: HashMap::new() };
    emitter.run();
    Some(Module { text: emitter.out, needs: emitter.needs })
}

struct Emitter<'a, 's> {
    file: &'s str,
    source: &'s str,
    program: &'s Program<'a>,
    carried: &'s Exports,
    out: String,
    needs: Vec<String>,
    /// Local names that are imports: the module and the name there.
    imported: HashMap<String, (String, String)>,
}

impl<'a, 's> Emitter<'a, 's> {
    fn run(&mut self) {
        for statement in &self.program.body {
            if let Statement::ImportDeclaration(it) = statement {
                for specifier in it.specifiers.iter().flatten() {
                    let (local, name) = match specifier {
                        ImportDeclarationSpecifier::ImportSpecifier(one) => (one.local.name.to_string(), one.imported.name().to_string()),
                        ImportDeclarationSpecifier::ImportDefaultSpecifier(one) => (one.local.name.to_string(), "default".into()),
                        ImportDeclarationSpecifier::ImportNamespaceSpecifier(one) => (one.local.name.to_string(), "*".into()),
                    };
                    self.imported.insert(local, (it.source.value.to_string(), name));
                }
            }
        }
        let program = self.program;
        for statement in &program.body {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement<'a>) {
        match statement {
            Statement::ExportDeclaration(it) => self.declaration(&it.declaration, it.span.start),
            Statement::ExportNamedDeclaration(it) => {
                for one in &it.specifiers {
                    self.local(&one.local.name(), &one.exported.name());
                }
            }
            Statement::ExportFromDeclaration(it) => {
                let names: Vec<(String, String)> =
                    it.specifiers.iter().map(|one| (one.local.name().to_string(), one.exported.name().to_string())).collect();
                self.from(it.source.value.as_str(), &names);
            }
            Statement::ExportAllDeclaration(it) => {
                let from = it.source.value.as_str();
                match (self.target(from), &it.exported) {
                    (Some(target), None) => self.line(&format!("export * from \"{}\";", module_name(&target))),
                    (_, Some(name)) => self.line(&format!("export const {}: any;", name.name())),
                    (None, None) => self.foreign(),
                }
            }
            Statement::ExportDefaultDeclaration(it) => match &it.declaration {
                ExportDefaultDeclarationKind::Identifier(name) => {
                    let name = name.name.to_string();
                    if self.find(&name).is_some() && !self.out.contains(&format!(" {name}(")) {
                        self.local_unexported(&name);
                    }
                    self.line(&format!("export default {name};"));
                }
                _ => self.line("const value: any;\n  export default value;"),
            },
            _ => {}
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(&format!("  {text}\n"));
    }

    /// All names of a subpath that come from a package without declarations of ours.
    fn foreign(&mut self) {
        let names = super::subpath(self.file).and_then(|subpath| self.carried.get(subpath)).cloned().unwrap_or_default();
        for name in names.iter().filter(|name| *name != "default") {
            if RESERVED.contains(&name.as_str()) {
                self.line(&format!("const ${name}: any;\n  export {{ ${name} as {name} }};"));
            } else {
                self.line(&format!("export const {name}: any;"));
            }
        }
    }

    /// The file that a relative specifier names; none for packages and vendored files, which are one line.
    fn target(&mut self, specifier: &str) -> Option<String> {
        if !specifier.starts_with('.') {
            return None;
        }
        let mut parts: Vec<&str> = self.file.split('/').collect();
        parts.pop();
        for part in specifier.split('/') {
            match part {
                "." => {}
                ".." => {
                    parts.pop();
                }
                other => parts.push(other),
            }
        }
        let file = parts.join("/");
        if !file.starts_with("plugin-sdk/") {
            return None;
        }
        if !self.needs.contains(&file) {
            self.needs.push(file.clone());
        }
        Some(file)
    }

    fn from(&mut self, specifier: &str, names: &[(String, String)]) {
        let Some(target) = self.target(specifier) else {
            for (_, exported) in names {
                self.line(&format!("export const {exported}: any;"));
            }
            return;
        };
        let list: Vec<String> = names
            .iter()
            .map(|(local, exported)| if local == exported { local.clone() } else { format!("{local} as {exported}") })
            .collect();
        self.line(&format!("export {{ {} }} from \"{}\";", list.join(", "), module_name(&target)));
    }

    /// `export { local as exported }`.
    fn local(&mut self, local: &str, exported: &str) {
        if let Some((from, name)) = self.imported.get(local).cloned() {
            match name.as_str() {
                "*" => self.line(&format!("export const {exported}: any;")),
                _ => self.from(&from, &[(name, exported.to_owned())]),
            }
            return;
        }
        if self.find(local).is_some() && local == exported {
            self.local_unexported(local);
        } else {
            self.line(&format!("export const {exported}: any;"));
        }
    }

    /// Declares a name that its own statement does not export.
    fn local_unexported(&mut self, name: &str) {
        if let Some((statement, start)) = self.find(name) {
            match statement {
                Statement::FunctionDeclaration(it) => self.function(it, start, name),
                Statement::ClassDeclaration(it) => self.class(it, start, name),
                Statement::VariableDeclaration(it) => {
                    if let Some(one) = it.declarations.iter().find(|one| named(&one.id) == Some(name)) {
                        self.variable(one, start, name);
                    }
                }
                _ => {}
            }
        }
    }

    fn find(&self, name: &str) -> Option<(&'s Statement<'a>, u32)> {
        self.program.body.iter().find_map(|statement| {
            let is_it = match statement {
                Statement::FunctionDeclaration(it) => it.id.as_ref().is_some_and(|id| id.name == name),
                Statement::ClassDeclaration(it) => it.id.as_ref().is_some_and(|id| id.name == name),
                Statement::VariableDeclaration(it) => it.declarations.iter().any(|one| named(&one.id) == Some(name)),
                _ => false,
            };
            is_it.then(|| (statement, statement.span().start))
        })
    }

    fn declaration(&mut self, declaration: &Declaration<'a>, start: u32) {
        match declaration {
            Declaration::FunctionDeclaration(it) => {
                let name = it.id.as_ref().map(|id| id.name.to_string()).unwrap_or_default();
                self.function(it, start, &name);
            }
            Declaration::ClassDeclaration(it) => {
                let name = it.id.as_ref().map(|id| id.name.to_string()).unwrap_or_default();
                self.class(it, start, &name);
            }
            Declaration::VariableDeclaration(it) => {
                for one in &it.declarations {
                    match named(&one.id) {
                        Some(name) => self.variable(one, start, name),
                        None => {
                            for name in destructured(&one.id) {
                                self.line(&format!("export const {name}: any;"));
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn doc(&self, start: u32) -> Doc {
        let before = self.program.comments.iter().filter(|comment| comment.is_block() && comment.attached_to == start);
        let text = before.filter_map(|comment| self.source.get(comment.span.start as usize..comment.span.end as usize)).next_back();
        text.filter(|text| text.starts_with("/**")).map(jsdoc::read).unwrap_or_default()
    }

    fn about(&mut self, doc: &Doc) {
        if !doc.about.is_empty() {
            self.line(&format!("/** {} */", doc.about));
        }
    }

    fn function(&mut self, it: &Function<'a>, start: u32, name: &str) {
        let doc = self.doc(start);
        self.about(&doc);
        let signature = signature(&it.params, &doc, it.r#async, it.generator);
        self.line(&format!("export function {name}{signature};"));
    }

    fn variable(&mut self, one: &VariableDeclarator<'a>, start: u32, name: &str) {
        let doc = self.doc(start);
        self.about(&doc);
        if let Some(kind) = &doc.of {
            return self.line(&format!("export const {name}: {kind};"));
        }
        let text = match one.init.as_ref().map(Expression::get_inner_expression) {
            Some(Expression::ArrowFunctionExpression(it)) => {
                format!("export function {name}{};", signature(&it.params, &doc, it.r#async, false))
            }
            Some(Expression::FunctionExpression(it)) => {
                format!("export function {name}{};", signature(&it.params, &doc, it.r#async, it.generator))
            }
            Some(Expression::StringLiteral(_) | Expression::TemplateLiteral(_)) => format!("export const {name}: string;"),
            Some(Expression::NumericLiteral(_)) => format!("export const {name}: number;"),
            Some(Expression::BooleanLiteral(_)) => format!("export const {name}: boolean;"),
            _ => format!("export const {name}: any;"),
        };
        self.line(&text);
    }

    fn class(&mut self, it: &Class<'a>, start: u32, name: &str) {
        let doc = self.doc(start);
        self.about(&doc);
        let above = match it.heritage.as_ref().map(|above| above.expression.get_inner_expression()) {
            Some(Expression::Identifier(above)) if matches!(above.name.as_str(), "Error" | "TypeError" | "RangeError") => {
                format!(" extends {}", above.name)
            }
            _ => String::new(),
        };
        self.line(&format!("export class {name}{above} {{"));
        self.line("  constructor(...args: any[]);");
        for element in &it.body.body {
            let ClassElement::MethodDefinition(method) = element else { continue };
            let Some(key) = method.key.static_name().filter(|_| method.kind == MethodDefinitionKind::Method) else { continue };
            if method.key.is_private_identifier() || !key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let doc = self.doc(method.span.start);
            let signature = signature(&method.value.params, &doc, method.value.r#async, method.value.generator);
            let is_static = if method.r#static { "static " } else { "" };
            self.line(&format!("  {is_static}{key}{signature};"));
        }
        self.line("  [member: string]: any;");
        self.line("}");
    }
}

fn named<'p>(pattern: &'p BindingPattern<'_>) -> Option<&'p str> {
    match pattern {
        BindingPattern::BindingIdentifier(id) => Some(id.name.as_str()),
        _ => None,
    }
}

fn destructured(pattern: &BindingPattern<'_>) -> Vec<String> {
    match pattern {
        BindingPattern::ObjectPattern(object) => object.properties.iter().filter_map(|one| named(&one.value).map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// `(a: string, b?: any, ...rest: any[]): T`.
fn signature(params: &FormalParameters<'_>, doc: &Doc, is_async: bool, is_generator: bool) -> String {
    let mut list = Vec::new();
    let mut optional = false;
    for (at, param) in params.items.iter().enumerate() {
        let (pattern, has_default) = match &param.pattern {
            BindingPattern::AssignmentPattern(it) => (&it.left, true),
            other => (other, param.initializer.is_some()),
        };
        let name = named(pattern);
        let said = name.and_then(|name| doc.params.get(name)).or_else(|| if name.is_none() { doc.order.get(at) } else { None });
        // What nothing is said of may be left out.
        optional |= has_default || said.is_none_or(|(_, optional)| *optional);
        let kind = said.map_or("any", |(kind, _)| kind.as_str());
        let mark = if optional { "?" } else { "" };
        let taken = params.items.iter().any(|one| named(&one.pattern) == Some("options"))
            || list.iter().any(|one: &String| one.starts_with("options"));
        let fallback = if taken { format!("options{at}") } else { "options".to_owned() };
        list.push(format!("{}{mark}: {kind}", name.map_or(fallback, str::to_owned)));
    }
    if let Some(rest) = &params.rest {
        list.push(format!("...{}: any[]", named(&rest.rest.argument).unwrap_or("rest")));
    }
    let returns = doc.returns.clone().unwrap_or_else(|| "any".into());
    let returns = match (is_async, is_generator) {
        (_, true) => "any".into(),
        (true, _) if !returns.starts_with("Promise<") => format!("Promise<{returns}>"),
        _ => returns,
    };
    format!("({}): {returns}", list.join(", "))
}
