//! Tables in plain text: columns two spaces apart, words to the left, numbers to the right, no colours.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment};
use std::fmt::{self, Display};

/// A table whose first columns hold words.
#[derive(Debug)]
pub(crate) struct Table {
    words: usize,
    table: comfy_table::Table,
}

impl Table {
    /// An empty table; its first `words` columns are set to the left.
    pub(crate) fn new<C: ToString>(words: usize, headings: impl IntoIterator<Item = C>) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING);
        let mut new = Self { words, table };
        let cells = new.cells(headings);
        new.table.set_header(cells);
        new.table.column_iter_mut().for_each(|column| {
            column.set_padding((0, 2));
        });
        new
    }

    /// Adds a row.
    pub(crate) fn row<C: ToString>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells = self.cells(cells);
        self.table.add_row(cells);
    }

    fn cells<C: ToString>(&self, texts: impl IntoIterator<Item = C>) -> Vec<Cell> {
        let cell = |(column, text): (usize, C)| {
            let side = if column < self.words { CellAlignment::Left } else { CellAlignment::Right };
            Cell::new(text.to_string()).set_alignment(side)
        };
        texts.into_iter().enumerate().map(cell).collect()
    }
}

/// Each row with the end of its line.
impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
}
