//! What an expression stands for, as far as the rules care: followed through names, members, wrappers and constant text.

use std::collections::HashMap;

use oxc::ast::ast::{Argument, BindingPattern, CallExpression, ChainElement, Expression, IdentifierReference};
use oxc::semantic::{Scoping, SymbolId};

use crate::constant;

/// Expressions inside each other that are followed. Each node costs at most this many steps.
const DEPTH: usize = 24;
/// Longest constant text that a name remembers, in bytes.
const TEXT: usize = 4096;
/// Functions of `child_process` that run a program (INS-212).
const EXEC: [&str; 6] = ["exec", "execSync", "spawn", "spawnSync", "execFile", "execFileSync"];
/// What `vm` runs code with.
const VM: [&str; 6] = ["runInThisContext", "runInNewContext", "runInContext", "compileFunction", "Script", "SourceTextModule"];

/// Modules that rules know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    ChildProcess,
    Vm,
    Http,
    Https,
    Process,
    WorkerThreads,
    Net,
}

impl Known {
    fn of(specifier: &str) -> Option<Self> {
        Some(match specifier.strip_prefix("node:").unwrap_or(specifier) {
            "child_process" => Self::ChildProcess,
            "vm" => Self::Vm,
            "http" => Self::Http,
            "https" | "http2" => Self::Https,
            "process" => Self::Process,
            "worker_threads" => Self::WorkerThreads,
            "net" | "tls" | "dgram" => Self::Net,
            _ => return None,
        })
    }
}

/// What an expression stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Module(Known),
    /// A function that runs a program.
    Exec,
    /// A function of `child_process` that runs JavaScript.
    Fork,
    Eval,
    FunctionConstructor,
    /// What runs code of the `vm` module.
    Vm,
    Worker,
    Global,
    Env,
    /// `fetch` and `http.request`.
    Send,
    /// `https.request`, raw sockets.
    OtherSend,
    Text(String),
}

/// The value of each name whose value matters.
pub(crate) struct Values<'s> {
    pub(crate) scoping: &'s Scoping,
    pub(crate) known: HashMap<SymbolId, Value>,
}

impl Values<'_> {
    /// Notes that a pattern is bound to a value.
    pub(crate) fn bind(&mut self, pattern: &BindingPattern<'_>, value: &Value) {
        match pattern {
            BindingPattern::BindingIdentifier(name) => {
                if let Some(symbol) = name.symbol_id.get() {
                    self.set(symbol, value);
                }
            }
            BindingPattern::AssignmentPattern(with_default) => self.bind(&with_default.left, value),
            BindingPattern::ObjectPattern(object) => {
                for property in &object.properties {
                    let key = if property.computed {
                        property.key.as_expression().and_then(|key| self.text(key))
                    } else {
                        property.key.static_name().map(Into::into)
                    };
                    if let Some(inner) = key.and_then(|key| member(value, &key)) {
                        self.bind(&property.value, &inner);
                    }
                }
                if let Some(rest) = &object.rest {
                    self.bind(&rest.argument, value);
                }
            }
            BindingPattern::ArrayPattern(_) => {}
        }
    }

    /// Notes the value of a name; text only of names that are never assigned again.
    pub(crate) fn set(&mut self, symbol: SymbolId, value: &Value) {
        if let Value::Text(text) = value
            && (text.len() > TEXT || self.scoping.symbol_is_mutated(symbol))
        {
            return;
        }
        self.known.entry(symbol).or_insert_with(|| value.clone());
    }

    /// The symbol that a name refers to; none for globals.
    pub(crate) fn symbol(&self, name: &IdentifierReference<'_>) -> Option<SymbolId> {
        let reference = name.reference_id.get()?;
        self.scoping.get_reference(reference).symbol_id()
    }

    /// What an expression stands for.
    pub(crate) fn of(&self, expression: &Expression<'_>) -> Option<Value> {
        self.at(expression, DEPTH)
    }

    /// The constant text of an expression.
    pub(crate) fn text(&self, expression: &Expression<'_>) -> Option<String> {
        match self.of(expression)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn at(&self, expression: &Expression<'_>, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        match expression.get_inner_expression() {
            Expression::Identifier(name) => self.name(name),
            Expression::StaticMemberExpression(it) => self.member_at(&it.object, it.property.name.as_str(), depth),
            Expression::ComputedMemberExpression(it) => {
                let Value::Text(key) = self.at(&it.expression, depth)? else { return None };
                self.member_at(&it.object, &key, depth)
            }
            Expression::ChainExpression(chain) => match &chain.expression {
                ChainElement::CallExpression(call) => self.call(call, depth),
                ChainElement::StaticMemberExpression(it) => self.member_at(&it.object, it.property.name.as_str(), depth),
                ChainElement::ComputedMemberExpression(it) => {
                    let Value::Text(key) = self.at(&it.expression, depth)? else { return None };
                    self.member_at(&it.object, &key, depth)
                }
                _ => None,
            },
            Expression::SequenceExpression(it) => self.at(it.expressions.last()?, depth),
            Expression::AwaitExpression(it) => self.at(&it.argument, depth),
            Expression::AssignmentExpression(it) => self.at(&it.right, depth),
            Expression::ConditionalExpression(it) => self.not_text(&it.consequent, depth).or_else(|| self.not_text(&it.alternate, depth)),
            Expression::LogicalExpression(it) => self.not_text(&it.left, depth).or_else(|| self.not_text(&it.right, depth)),
            Expression::ImportExpression(it) => {
                let Value::Text(specifier) = self.at(&it.source, depth)? else { return None };
                Known::of(&specifier).map(Value::Module)
            }
            Expression::CallExpression(call) => self.call(call, depth),
            other => constant::text(self, other, depth).map(Value::Text),
        }
    }

    fn not_text(&self, expression: &Expression<'_>, depth: usize) -> Option<Value> {
        self.at(expression, depth).filter(|value| !matches!(value, Value::Text(_)))
    }

    fn name(&self, name: &IdentifierReference<'_>) -> Option<Value> {
        match self.symbol(name) {
            Some(symbol) => self.known.get(&symbol).cloned(),
            None => global(name.name.as_str()),
        }
    }

    fn member_at(&self, object: &Expression<'_>, key: &str, depth: usize) -> Option<Value> {
        if key == "constructor" && is_function(object) {
            return Some(Value::FunctionConstructor);
        }
        member(&self.at(object, depth)?, key)
    }

    fn call(&self, call: &CallExpression<'_>, depth: usize) -> Option<Value> {
        if let Some(text) = constant::call(self, call, depth) {
            return Some(Value::Text(text));
        }
        if let Expression::StaticMemberExpression(member) = call.callee.get_inner_expression()
            && member.property.name == "bind"
        {
            return self.at(&member.object, depth);
        }
        let first = call.arguments.first().and_then(Argument::as_expression);
        match self.at(first?, depth)? {
            // `require("x")`, whatever it is called: bundlers and `createRequire` have their own names for it.
            Value::Text(specifier) => Known::of(&specifier).map(Value::Module),
            // `__toESM(require("x"))`, `promisify(exec)`.
            value @ (Value::Module(_) | Value::Exec) => Some(value),
            _ => None,
        }
    }
}

fn global(name: &str) -> Option<Value> {
    Some(match name {
        "eval" => Value::Eval,
        "Function" => Value::FunctionConstructor,
        "globalThis" | "global" | "window" | "self" => Value::Global,
        "process" => Value::Module(Known::Process),
        "fetch" => Value::Send,
        "Worker" => Value::Worker,
        _ => return None,
    })
}

fn member(value: &Value, key: &str) -> Option<Value> {
    match value {
        Value::Global => match key {
            "globalThis" | "global" | "window" | "self" => Some(Value::Global),
            other => global(other),
        },
        Value::Module(_) if key == "default" || key == "promises" => Some(value.clone()),
        Value::Module(Known::ChildProcess) if EXEC.contains(&key) => Some(Value::Exec),
        Value::Module(Known::ChildProcess) if key == "fork" => Some(Value::Fork),
        Value::Module(Known::Vm) if VM.contains(&key) => Some(Value::Vm),
        Value::Module(Known::Http) if key == "request" => Some(Value::Send),
        Value::Module(Known::Https) if matches!(key, "request" | "connect") => Some(Value::OtherSend),
        Value::Module(Known::Net) if matches!(key, "connect" | "createConnection" | "createSocket") => Some(Value::OtherSend),
        Value::Module(Known::Process) if key == "env" => Some(Value::Env),
        Value::Module(Known::WorkerThreads) if key == "Worker" => Some(Value::Worker),
        Value::Exec | Value::Eval | Value::FunctionConstructor | Value::Vm | Value::Send | Value::OtherSend
            if matches!(key, "call" | "apply") =>
        {
            Some(value.clone())
        }
        _ => None,
    }
}

/// A member of a module that is imported by name.
pub(crate) fn imported(specifier: &str, name: Option<&str>) -> Option<Value> {
    let module = Value::Module(Known::of(specifier)?);
    match name {
        None => Some(module),
        Some(name) => member(&module, name),
    }
}

/// A function literal, or `x.constructor` itself: their `constructor` is `Function`.
fn is_function(expression: &Expression<'_>) -> bool {
    match expression.get_inner_expression() {
        Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_) => true,
        Expression::StaticMemberExpression(it) => it.property.name == "constructor",
        _ => false,
    }
}
