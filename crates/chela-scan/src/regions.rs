//! Which parts of a file are code, and which are text inside it.

use oxc::ast::ast::{Directive, JSXText, Program, RegExpLiteral, StringLiteral, TemplateElement};
use oxc::ast_visit::Visit;
use oxc::span::Span;

/// What a place in a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Region {
    Code,
    Text,
    Comment,
}

/// Places of comments and literals, sorted.
#[derive(Default)]
pub(crate) struct Regions {
    spans: Vec<(u32, u32, Region)>,
}

impl Regions {
    pub(crate) fn of(program: &Program<'_>) -> Self {
        let mut literals = Literals::default();
        literals.visit_program(program);
        let mut spans: Vec<_> = literals.spans.iter().map(|span| (span.start, span.end, Region::Text)).collect();
        spans.extend(program.comments.iter().map(|comment| (comment.span.start, comment.span.end, Region::Comment)));
        if let Some(hashbang) = &program.hashbang {
            spans.push((hashbang.span.start, hashbang.span.end, Region::Comment));
        }
        spans.sort_unstable_by_key(|span| (span.0, span.1));
        Self { spans }
    }

    /// What the byte at `offset` belongs to. Literals do not overlap each other.
    pub(crate) fn at(&self, offset: usize) -> Region {
        let after = self.spans.partition_point(|(start, ..)| *start as usize <= offset);
        match after.checked_sub(1).and_then(|at| self.spans.get(at)) {
            Some((_, end, region)) if offset < *end as usize => *region,
            _ => Region::Code,
        }
    }
}

#[derive(Default)]
struct Literals {
    spans: Vec<Span>,
}

impl<'a> Visit<'a> for Literals {
    fn visit_string_literal(&mut self, it: &StringLiteral<'a>) {
        self.spans.push(it.span);
    }

    fn visit_template_element(&mut self, it: &TemplateElement<'a>) {
        self.spans.push(it.span);
    }

    fn visit_reg_exp_literal(&mut self, it: &RegExpLiteral<'a>) {
        self.spans.push(it.span);
    }

    fn visit_jsx_text(&mut self, it: &JSXText<'a>) {
        self.spans.push(it.span);
    }

    fn visit_directive(&mut self, it: &Directive<'a>) {
        self.spans.push(it.expression.span);
    }
}
