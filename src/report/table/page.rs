//! Lines and grids on a page of some width. Knows the terminal's rules, and no verdict.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};

use comfy_table::{Color, ColumnConstraint, ContentArrangement, Table, Width, presets};

use crate::model::verdict::{Assumption, RootVerdict};
use crate::report::Layout;
use crate::report::text::{escape, shorten};
use crate::report::words::{self, Tone, number};

/// Below this width, rows take two lines so that no column is squeezed into a stack of syllables.
const NARROW: u16 = 160;
/// A rigid column is not wrapped up to this width: room for an ARN, or on a narrow page for a
/// time or a shortened id.
const RIGID: u16 = 80;
const RIGID_NARROW: u16 = 26;

impl Layout {
    fn is_narrow(self) -> bool {
        self.width.is_some_and(|width| width < NARROW)
    }
}

/// What is printed, top to bottom.
pub(super) struct Page<'w> {
    out: BufWriter<&'w mut dyn Write>,
    layout: Layout,
    begun: bool,
}

impl<'w> Page<'w> {
    pub(super) fn new(layout: Layout, out: &'w mut dyn Write) -> Self {
        Self {
            out: BufWriter::new(out),
            layout,
            begun: false,
        }
    }

    pub(super) fn is_narrow(&self) -> bool {
        self.layout.is_narrow()
    }

    /// A shortener for ids of at most `narrow` or `wide` characters; off a terminal nothing is
    /// shortened.
    pub(super) fn shortener(&self, narrow: usize, wide: usize) -> Shortener {
        let limit = if self.is_narrow() { narrow } else { wide };
        Shortener {
            limit: self.layout.width.map(|_| limit),
            shown: BTreeMap::new(),
            alike: BTreeSet::new(),
        }
    }

    /// A line of text, wrapped between words.
    pub(super) fn line(&mut self, tone: Tone, text: &str) -> io::Result<()> {
        let mut grid = Grid::without_header();
        grid.row(vec![Cell::new(text).tone(tone)]);
        self.grid(grid)
    }

    /// A line that stays one: what does not fit is cut off.
    pub(super) fn one_line(&mut self, tone: Tone, text: &str) -> io::Result<()> {
        let text = escape(text);
        let Some(width) = self.layout.width.map(usize::from) else {
            return self.line(tone, &text);
        };
        self.line(tone, &console::truncate_str(&text, width, "…"))
    }

    /// A line that is never wrapped, so that what stands in it can be copied.
    pub(super) fn whole_line(&mut self, text: &str) -> io::Result<()> {
        self.begun = true;
        writeln!(self.out, "{}", escape(text))
    }

    /// Begins a section.
    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.gap()?;
        self.line(Tone::Plain, text)
    }

    /// An empty line, but for the top of the page.
    pub(super) fn gap(&mut self) -> io::Result<()> {
        if self.begun {
            writeln!(self.out)?;
        }
        Ok(())
    }

    pub(super) fn grid(&mut self, grid: Grid) -> io::Result<()> {
        self.begun = true;
        if grid.rows.is_empty() {
            return Ok(());
        }
        let text = grid.into_table(self.layout).trim_fmt();
        writeln!(self.out, "{text}")
    }

    /// What was taken on trust.
    pub(super) fn assumptions(&mut self, assumptions: &[Assumption]) -> io::Result<()> {
        if assumptions.is_empty() {
            return Ok(());
        }
        self.heading("Assumptions behind this answer")?;
        let mut grid = Grid::without_header();
        for (kind, told) in words::assumptions(assumptions) {
            grid.row(vec![Cell::new(""), Cell::new(kind), Cell::new(&told)]);
        }
        self.grid(grid)
    }

    /// Where the evidence comes from.
    pub(super) fn roots(&mut self, roots: &[RootVerdict]) -> io::Result<()> {
        if roots.is_empty() {
            return Ok(());
        }
        self.heading("Evidence searched")?;
        let mut grid = Grid::without_header();
        for root in roots {
            grid.row(vec![
                Cell::new(""),
                Cell::new(root.source),
                Cell::new(&root.base_url),
                Cell::new(&root.scope),
                Cell::new(&words::root_read(root)),
            ]);
        }
        self.grid(grid)
    }

    /// That rows were left out, if any were.
    pub(super) fn more(&mut self, left_out: usize, how: &str) -> io::Result<()> {
        if left_out == 0 {
            return Ok(());
        }
        self.line(
            Tone::Plain,
            &format!("and {} ({how})", number(left_out, "more", "more")),
        )
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Characters of a line of a cell. The grid counts columns in 16 bits, and no name that somebody
/// needs is as long.
const LONGEST: usize = 4_000;

fn line_of(text: &str) -> Cow<'_, str> {
    match escape(text) {
        Cow::Borrowed(text) => shorten(text, LONGEST),
        Cow::Owned(text) => Cow::Owned(shorten(&text, LONGEST).into_owned()),
    }
}

/// A text in a grid, harmless from the start.
#[derive(Clone)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: line_of(text).into_owned(),
            tone: Tone::Plain,
        }
    }

    /// Several lines; each is a text from outside.
    pub(super) fn lines<'t>(lines: impl IntoIterator<Item = &'t str>) -> Self {
        let lines: Vec<_> = lines.into_iter().map(line_of).collect();
        Self {
            text: lines.join("\n"),
            tone: Tone::Plain,
        }
    }

    pub(super) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

/// A column's title.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Not wrapped: a word, an id, a time.
    Rigid(&'static str),
    /// Wrapped where there is no room: sentences and lists.
    Elastic(&'static str),
}

/// Rows of cells. Without a header all columns but the last are rigid.
pub(super) struct Grid {
    header: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Grid {
    pub(super) const fn new(header: Vec<Column>) -> Self {
        Self {
            header,
            rows: Vec::new(),
        }
    }

    pub(super) const fn without_header() -> Self {
        Self::new(Vec::new())
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    fn into_table(self, layout: Layout) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        // The width and the colors are the caller's to decide, not a look at the terminal's.
        table.force_no_tty();
        if layout.color {
            table.enforce_styling();
        }
        match layout.width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic);
                table.set_width(width);
            }
            None => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        if !self.header.is_empty() {
            table.set_header(self.header.iter().map(|column| match column {
                Column::Rigid(title) | Column::Elastic(title) => *title,
            }));
        }
        for row in self.rows {
            table.add_row(row.into_iter().map(Cell::into_comfy).collect::<Vec<_>>());
        }
        let last = table.column_count().saturating_sub(1);
        let rigid = if layout.is_narrow() {
            RIGID_NARROW
        } else {
            RIGID
        };
        let widths = table.column_max_content_widths();
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { 2 }));
            let elastic = match self.header.get(index) {
                Some(Column::Elastic(_)) => true,
                Some(Column::Rigid(_)) => false,
                None => index == last,
            };
            if let Some(width) = widths.get(index)
                && !elastic
            {
                // Lower boundaries count the padding.
                let padding = if index == last { 0 } else { 2 };
                let width = Width::Fixed((*width).min(rigid) + padding);
                column.set_constraint(ColumnConstraint::LowerBoundary(width));
            }
        }
        table
    }
}

impl Cell {
    fn into_comfy(self) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new_owned(self.text);
        match self.tone {
            Tone::Bad => cell.fg(Color::Red),
            Tone::Doubtful => cell.fg(Color::Yellow),
            Tone::Good => cell.fg(Color::Green),
            Tone::Plain => cell,
        }
    }
}

/// Shortens the ids of one grid, but for those that would look like another one.
pub(super) struct Shortener {
    limit: Option<usize>,
    /// Shortened text -> the id that it stands for.
    shown: BTreeMap<String, String>,
    /// Shortened texts that stand for more than one.
    alike: BTreeSet<String>,
}

impl Shortener {
    /// Takes notice of an id that is going to be printed.
    pub(super) fn note(&mut self, id: &str) {
        let Some(limit) = self.limit else {
            return;
        };
        let short = shorten(&escape(id), limit).into_owned();
        match self.shown.get(&short) {
            Some(other) if other != id => {
                self.alike.insert(short);
            }
            Some(_) => {}
            None => {
                self.shown.insert(short, id.to_owned());
            }
        }
    }

    /// The id as the grid prints it.
    pub(super) fn short(&self, id: &str) -> String {
        let whole = escape(id).into_owned();
        let Some(limit) = self.limit else {
            return whole;
        };
        let short = shorten(&whole, limit).into_owned();
        if self.alike.contains(&short) {
            whole
        } else {
            short
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(layout: Layout, fill: impl FnOnce(&mut Page<'_>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        let mut page = Page::new(layout, &mut bytes);
        fill(&mut page).unwrap();
        page.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn ids_that_would_look_alike_stay_whole() {
        let layout = Layout {
            width: Some(80),
            color: false,
        };
        let mut bytes = Vec::new();
        let page = Page::new(layout, &mut bytes);
        let mut ids = page.shortener(8, 8);
        let (one, two, other) = ("ring-a/keys/k/1", "ring-b/keys/k/1", "elsewhere-0");
        for id in [one, two, other] {
            ids.note(id);
        }
        assert_eq!(ids.short(one), one);
        assert_eq!(ids.short(two), two);
        assert_eq!(ids.short(other), "el…ere-0");
    }

    #[test]
    fn nothing_is_wrapped_or_shortened_off_a_terminal() {
        let long = "x ".repeat(200);
        let layout = Layout {
            width: None,
            color: false,
        };
        let text = printed(layout, |page| page.line(Tone::Bad, &long));
        assert_eq!(text, format!("{}\n", long.trim_end()));
        let mut bytes = Vec::new();
        assert_eq!(
            Page::new(layout, &mut bytes).shortener(3, 3).short(&long),
            long
        );
    }

    #[test]
    fn color_only_when_told() {
        for color in [false, true] {
            let layout = Layout {
                width: Some(80),
                color,
            };
            let text = printed(layout, |page| page.line(Tone::Bad, "lost"));
            assert_eq!(text.contains('\u{1b}'), color, "{text:?}");
        }
    }

    #[test]
    fn hostile_names_stay_in_their_cell() {
        let layout = Layout {
            width: Some(50),
            color: false,
        };
        let text = printed(layout, |page| {
            let mut grid = Grid::new(vec![Column::Rigid("NAME"), Column::Elastic("NEXT")]);
            grid.row(vec![Cell::new("a\n\u{1b}[2J\u{202e}"), Cell::new("c")]);
            page.grid(grid)
        });
        assert!(text.contains("a\\u{a}\\u{1b}[2J\\u{202e}"), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
