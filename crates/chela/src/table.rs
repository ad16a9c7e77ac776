//! Aligned columns: a heading line, two spaces between columns, no rules, no colour needed.

use crate::output::dim;

/// Rows below a heading.
#[derive(Debug, Default)]
pub struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(heading: &[&'static str]) -> Self {
        Self { heading: heading.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table's text; the last column is never padded. Columns without any cell are left out.
    pub fn render(&self) -> String {
        let used: Vec<usize> =
            (0..self.heading.len()).filter(|at| self.rows.iter().any(|row| row.get(*at).is_some_and(|cell| !cell.is_empty()))).collect();
        let cell = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
        let widths: Vec<usize> = used
            .iter()
            .map(|at| {
                let cells = self.rows.iter().map(|row| width(&cell(row, *at)));
                cells.chain([self.heading[*at].len()]).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: Vec<String>| {
            let mut out = String::new();
            for (at, cell) in cells.iter().enumerate() {
                out.push_str(cell);
                if at + 1 < cells.len() {
                    out.push_str(&" ".repeat(widths[at] - width(cell) + 2));
                }
            }
            out.trim_end().to_owned()
        };
        let heading = line(used.iter().map(|at| self.heading[*at].to_owned()).collect());
        let mut out = format!("{}\n", dim(&heading));
        for row in &self.rows {
            out.push_str(&line(used.iter().map(|at| cell(row, *at)).collect()));
            out.push('\n');
        }
        out
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_empty_ones_vanish() {
        let mut table = Table::new(&["ID", "NOTE", "PATH"]);
        table.row(vec!["a".into(), String::new(), "/x".into()]);
        table.row(vec!["größer".into(), String::new(), "/y".into()]);
        let plain = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(plain, "ID      PATH\na       /x\ngrößer  /y\n");
    }
}
