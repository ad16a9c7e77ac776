//! Second look at a file: what is done with values whose meaning is known. Nothing here is critical: where the text patterns see the
//! same place, they have said so.

use oxc::ast::ast::{
    Argument, CallExpression, ComputedMemberExpression, Expression, IdentifierReference, NewExpression, ObjectPropertyKind,
    StaticMemberExpression,
};
use oxc::ast_visit::{Visit, walk};
use oxc::span::GetSpan;

use crate::patterns::{
    self, BASE64_MESSAGE, DYNAMIC, DYNAMIC_BEYOND, EXEC, EXEC_BEYOND, HARVEST, Hit, NETWORK, NETWORK_MESSAGE, OBFUSCATED, Places,
};
use crate::report::Severity;
use crate::value::{Value, Values};

const HANDED_ON: &str = "child_process function is handed to other code";
const FORK: &str = "JavaScript file run as a child process";
const VM_MESSAGE: &str = "Code execution through the vm module detected";
const WHOLE_ENV: &str = "Whole environment is turned into data";
/// Base64 that is worth a look, in characters (INS-218).
const PAYLOAD: usize = 200;

/// Judges calls.
pub(crate) struct Rules<'v, 's> {
    pub(crate) values: &'v Values<'s>,
    pub(crate) hits: Vec<Hit>,
    pub(crate) places: Places,
}

impl Rules<'_, '_> {
    fn hit(&mut self, rule: &'static str, message: &'static str, severity: Severity, offset: u32) {
        self.hits.push(Hit { rule, message, severity, offset: offset as usize });
    }

    fn called(&mut self, callee: &Expression<'_>, arguments: &[Argument<'_>], offset: u32) {
        match self.values.of(callee) {
            Some(Value::Exec) => self.hit(EXEC, EXEC_BEYOND, Severity::Warn, offset),
            Some(Value::Fork) => self.hit(EXEC, FORK, Severity::Warn, offset),
            Some(Value::Eval | Value::FunctionConstructor) => self.run_text(arguments, DYNAMIC_BEYOND, offset),
            Some(Value::Vm) => self.run_text(arguments, VM_MESSAGE, offset),
            Some(Value::Send) => self.places.sends.push(offset as usize),
            Some(Value::OtherSend) => self.places.other_sends.push(offset as usize),
            _ => {}
        }
    }

    /// Text that is run: when it is constant it is judged itself, since `Function("return this")` harms nobody.
    fn run_text(&mut self, arguments: &[Argument<'_>], message: &'static str, offset: u32) {
        let texts: Option<Vec<String>> = arguments.iter().map(|it| self.values.text(it.as_expression()?)).collect();
        let harmless = texts.is_some_and(|texts| !patterns::is_dangerous(&texts.join("\n")) && !texts.join("").contains("child_process"));
        self.hit(DYNAMIC, message, if harmless { Severity::Info } else { Severity::Warn }, offset);
    }

    /// Dangerous functions as arguments: `Reflect.apply(eval, ..)`, `[code].forEach(eval)`, `run(exec)`.
    fn handed(&mut self, call: &CallExpression<'_>) {
        let reflected = matches!(call.callee.get_inner_expression(), Expression::StaticMemberExpression(it)
            if matches!(&it.object, Expression::Identifier(name) if name.name == "Reflect"));
        let promisified = self.name(&call.callee).is_some_and(|name| name.to_lowercase().contains("promisify"));
        for argument in &call.arguments {
            let Some(expression) = argument.as_expression() else { continue };
            let offset = expression.span().start;
            match self.values.of(expression) {
                Some(Value::Eval) => self.hit(DYNAMIC, DYNAMIC_BEYOND, Severity::Warn, offset),
                Some(Value::FunctionConstructor) if reflected => self.hit(DYNAMIC, DYNAMIC_BEYOND, Severity::Warn, offset),
                Some(Value::Exec) if reflected => self.hit(EXEC, EXEC_BEYOND, Severity::Warn, offset),
                Some(Value::Exec) if !promisified => self.hit(EXEC, HANDED_ON, Severity::Warn, offset),
                Some(Value::Env) if self.serialises(&call.callee) => self.hit(HARVEST, WHOLE_ENV, Severity::Warn, offset),
                _ => {}
            }
        }
    }

    /// `JSON.stringify(process.env)` and `Object.entries(process.env)`.
    fn serialises(&self, callee: &Expression<'_>) -> bool {
        matches!(self.name(callee), Some("stringify" | "entries"))
    }

    /// The last name of a callee.
    fn name<'e>(&self, callee: &'e Expression<'_>) -> Option<&'e str> {
        match callee.get_inner_expression() {
            Expression::Identifier(name) => Some(name.name.as_str()),
            Expression::StaticMemberExpression(it) => Some(it.property.name.as_str()),
            _ => None,
        }
    }

    fn payload(&mut self, call: &CallExpression<'_>) {
        let decodes = match call.callee.get_inner_expression() {
            Expression::Identifier(name) => name.name == "atob",
            Expression::StaticMemberExpression(it) => {
                let on = |object: &str| matches!(&it.object, Expression::Identifier(name) if name.name == object);
                (it.property.name == "from" && on("Buffer")) || it.property.name == "atob"
            }
            _ => false,
        };
        let text = call.arguments.first().and_then(Argument::as_expression).filter(|_| decodes).and_then(|it| self.values.text(it));
        let is_base64 = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        if text.is_some_and(|text| text.len() >= PAYLOAD && is_base64(&text)) {
            self.hit(OBFUSCATED, BASE64_MESSAGE, Severity::Warn, call.span.start);
        }
    }

    fn socket(&mut self, it: &NewExpression<'_>) {
        if self.name(&it.callee) != Some("WebSocket") {
            return;
        }
        let address = it.arguments.first().and_then(Argument::as_expression).and_then(|first| self.values.text(first));
        let Some(address) = address.filter(|text| text.starts_with("ws://") || text.starts_with("wss://")) else { return };
        let port = address.rsplit(':').next().unwrap_or_default();
        let digits = &port[..port.len() - port.trim_start_matches(|c: char| c.is_ascii_digit()).len()];
        if !digits.is_empty() && patterns::is_odd_port(digits) {
            self.hit(NETWORK, NETWORK_MESSAGE, Severity::Warn, it.span.start);
        }
    }
}

impl<'a> Visit<'a> for Rules<'_, '_> {
    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        self.called(&it.callee, &it.arguments, it.span.start);
        self.handed(it);
        self.payload(it);
        walk::walk_call_expression(self, it);
    }

    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        self.called(&it.callee, &it.arguments, it.span.start);
        self.socket(it);
        if self.values.of(&it.callee) == Some(Value::Worker) && evaluates(it) {
            self.run_text(&it.arguments[..1], DYNAMIC_BEYOND, it.span.start);
        }
        walk::walk_new_expression(self, it);
    }

    fn visit_static_member_expression(&mut self, it: &StaticMemberExpression<'a>) {
        if it.property.name == "env" && self.values.of(&it.object) == Some(Value::Module(crate::value::Known::Process)) {
            self.places.env.push(it.span.start as usize);
        }
        walk::walk_static_member_expression(self, it);
    }

    fn visit_computed_member_expression(&mut self, it: &ComputedMemberExpression<'a>) {
        let process = self.values.of(&it.object) == Some(Value::Module(crate::value::Known::Process));
        if process && self.values.text(&it.expression).as_deref() == Some("env") {
            self.places.env.push(it.span.start as usize);
        }
        walk::walk_computed_member_expression(self, it);
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        let value = self.values.symbol(it).and_then(|symbol| self.values.known.get(&symbol));
        if value == Some(&Value::Env) {
            self.places.env.push(it.span.start as usize);
        }
    }
}

/// `new Worker(code, { eval: true })`
fn evaluates(it: &NewExpression<'_>) -> bool {
    let Some(Expression::ObjectExpression(options)) = it.arguments.get(1).and_then(Argument::as_expression) else { return false };
    options.properties.iter().any(|property| match property {
        ObjectPropertyKind::ObjectProperty(one) => {
            one.key.is_specific_static_name("eval") && !matches!(&one.value, Expression::BooleanLiteral(no) if !no.value)
        }
        ObjectPropertyKind::SpreadProperty(_) => false,
    })
}
