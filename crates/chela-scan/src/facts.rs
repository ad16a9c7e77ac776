//! First look at a file: which names stand for what, and what it imports.

use oxc::ast::ast::{
    Argument, AssignmentExpression, AssignmentTarget, CallExpression, ExportAllDeclaration, ExportFromDeclaration, Expression,
    ImportDeclaration, ImportDeclarationSpecifier, ImportExpression, NewExpression, TSExternalModuleReference, TSImportEqualsDeclaration,
    TSModuleReference, VariableDeclarator,
};
use oxc::ast_visit::{Visit, walk};

use crate::value::{Value, Values, imported};

/// Collects values of names.
pub(crate) struct Names<'v, 's> {
    pub(crate) values: &'v mut Values<'s>,
}

impl<'a> Visit<'a> for Names<'_, '_> {
    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        if it.import_kind.is_type() {
            return;
        }
        for specifier in it.specifiers.iter().flatten() {
            let (local, name) = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(one) => (&one.local, Some(one.imported.name())),
                ImportDeclarationSpecifier::ImportDefaultSpecifier(one) => (&one.local, None),
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(one) => (&one.local, None),
            };
            let value = imported(it.source.value.as_str(), name.as_ref().map(|name| name.as_str()));
            if let (Some(symbol), Some(value)) = (local.symbol_id.get(), value) {
                self.values.set(symbol, &value);
            }
        }
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        if let TSModuleReference::ExternalModuleReference(module) = &it.module_reference
            && let Some(value) = imported(module.expression.value.as_str(), None)
            && let Some(symbol) = it.id.symbol_id.get()
        {
            self.values.set(symbol, &value);
        }
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        walk::walk_variable_declarator(self, it);
        if let Some(value) = it.init.as_ref().and_then(|init| self.values.of(init)) {
            self.values.bind(&it.id, &value);
        }
    }

    fn visit_assignment_expression(&mut self, it: &AssignmentExpression<'a>) {
        walk::walk_assignment_expression(self, it);
        if let AssignmentTarget::AssignmentTargetIdentifier(name) = &it.left
            && let Some(value) = self.values.of(&it.right).filter(|value| !matches!(value, Value::Text(_)))
            && let Some(symbol) = self.values.symbol(name)
        {
            self.values.set(symbol, &value);
        }
    }
}

/// What a file loads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Imports {
    /// Relative specifiers.
    pub(crate) local: Vec<String>,
    /// Where something is loaded whose name is only known when it runs.
    pub(crate) computed: Vec<usize>,
}

/// Collects imports.
pub(crate) struct Loads<'v, 's> {
    pub(crate) values: &'v Values<'s>,
    pub(crate) found: Imports,
}

impl Loads<'_, '_> {
    fn add(&mut self, specifier: &str) {
        if specifier.starts_with('.') {
            self.found.local.push(specifier.into());
        }
    }

    fn load(&mut self, expression: &Expression<'_>, offset: u32) {
        match self.values.text(expression) {
            Some(specifier) => self.add(&specifier),
            None => self.found.computed.push(offset as usize),
        }
    }
}

impl<'a> Visit<'a> for Loads<'_, '_> {
    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        self.add(it.source.value.as_str());
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        self.add(it.source.value.as_str());
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        self.add(it.source.value.as_str());
    }

    fn visit_ts_external_module_reference(&mut self, it: &TSExternalModuleReference<'a>) {
        self.add(it.expression.value.as_str());
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        self.load(&it.source, it.span.start);
        walk::walk_import_expression(self, it);
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        if let Some(first) = it.arguments.first().and_then(Argument::as_expression) {
            let plain = matches!(it.callee.get_inner_expression(), Expression::Identifier(name) if name.name == "require");
            if plain {
                self.load(first, it.span.start);
            } else if let Some(specifier) = self.values.text(first).filter(|text| text.starts_with("./") || text.starts_with("../")) {
                // `createRequire(..)("./x")`, `fork("./x.js")`: any function that is given a relative path may load it.
                self.add(&specifier);
            }
        }
        walk::walk_call_expression(self, it);
    }

    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        // `new Worker("./x.js")`, `new URL("./x.js", import.meta.url)`
        if let Some(specifier) = it.arguments.first().and_then(Argument::as_expression).and_then(|first| self.values.text(first)) {
            self.add(&specifier);
        }
        walk::walk_new_expression(self, it);
    }
}
