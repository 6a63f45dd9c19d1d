//! The page: one HTML file that needs neither scripts, nor fonts, nor a network.

use super::picture::Picture;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A part of the page.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) heading: &'static str,
    pub(super) text: Vec<String>,
    pub(super) figures: Vec<Figure>,
    pub(super) tables: Vec<Table>,
    /// Lines as a terminal has them.
    pub(super) code: Vec<String>,
}

/// Pictures with one caption.
#[derive(Debug)]
pub(super) struct Figure {
    /// What one sees, and what would be good.
    pub(super) caption: String,
    pub(super) pictures: Vec<Picture>,
}

/// A table; its first columns hold words.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) words: usize,
    pub(super) headings: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b1b1b;--soft:#555;--paper:#fff;--line:#ccc;--shade:#f4f4f4}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--soft:#b4b4b4;--paper:#16181c;--line:#444;--shade:#22252b}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1200px;padding:16px;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1,h2{line-height:1.2}
h2{margin:2.2em 0 .5em;padding-top:.6em;border-top:1px solid var(--line)}
p,figcaption{max-width:75ch}
.note{border-left:4px solid #d55e00;padding:.2em 0 .2em .8em;margin:.6em 0}
figure{margin:1.2em 0}
.grid{display:grid;gap:12px;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr))}
.grid.maps{grid-template-columns:repeat(auto-fill,minmax(min(46%,200px),1fr));max-width:1100px}
svg{display:block;width:100%;height:auto;max-width:560px}
svg text{fill:currentColor}
svg [stroke=\"#000000\"]{stroke:currentColor}
svg polygon[fill=\"#000000\"]{fill:currentColor}
figcaption,caption{color:var(--soft);font-size:.92em;text-align:left}
figcaption{margin-top:.5em}
caption{padding-bottom:.4em;max-width:min(75ch,calc(100vw - 32px))}
.scroll{overflow-x:auto;margin:1.2em 0}
table{border-collapse:collapse;font-size:.88em;font-variant-numeric:tabular-nums}
th,td{padding:.2em .7em;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
.word{text-align:left}
.long{white-space:normal;overflow-wrap:anywhere;min-width:12em}
thead th{background:var(--shade);white-space:normal;min-width:4.5em;vertical-align:bottom}
pre{overflow-x:auto;padding:.7em;background:var(--shade);white-space:pre-wrap;overflow-wrap:anywhere}
@media print{:root{--ink:#000;--paper:#fff;--soft:#333;--line:#999;--shade:#eee;color-scheme:light}
svg,tr{break-inside:avoid}.scroll{overflow:visible}table{font-size:.7em}th,td{padding:.1em .35em}}
";

/// The whole page.
pub(super) fn page(title: &str, summary: &[String], notes: &[String], sections: &[Section]) -> String {
    let sections: Vec<&Section> = sections.iter().filter(|section| !section.is_empty()).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    @for line in summary { p { (line) } }
                    @for note in notes { p.note { (note) } }
                    @for section in sections { (section.markup()) }
                }
            }
        }
    };
    page.into_string() + "\n"
}

impl Section {
    fn is_empty(&self) -> bool {
        self.figures.is_empty() && self.tables.is_empty() && self.text.is_empty() && self.code.is_empty()
    }

    fn markup(&self) -> Markup {
        let map = |picture: &Picture| picture.is_map();
        html! {
            section id=(self.id) aria-labelledby={ (self.id) "-heading" } {
                h2 id={ (self.id) "-heading" } { (self.heading) }
                @for line in &self.text { p { (line) } }
                @for figure in &self.figures {
                    figure {
                        div.grid.maps[figure.pictures.iter().all(map)] {
                            @for picture in &figure.pictures { div { (picture.inline()) } }
                        }
                        figcaption { (figure.caption) }
                    }
                }
                @for table in &self.tables { (table.markup()) }
                @for line in &self.code { pre { (line) } }
            }
        }
    }
}

impl Table {
    pub(super) fn new(words: usize, caption: &str, headings: &[&str]) -> Self {
        let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
        Self { caption: caption.to_owned(), words, headings, rows: Vec::new() }
    }

    fn markup(&self) -> Markup {
        // Long words are cut into lines, short ones and numbers are not.
        let class = |column: usize, text: &str| match (column < self.words, text.chars().count() > 40) {
            (true, false) => Some("word"),
            (true, true) => Some("word long"),
            _ => None,
        };
        html! {
            section.scroll aria-label=(self.caption) tabindex="0" {
                table {
                    caption { (self.caption) }
                    thead { tr {
                        @for (column, heading) in self.headings.iter().enumerate() {
                            th scope="col" class=[class(column, heading)] { (heading) }
                        }
                    } }
                    tbody {
                        @for row in &self.rows { tr {
                            @for (column, cell) in row.iter().enumerate() {
                                @if column == 0 { th scope="row" class=[class(column, cell)] { (cell) } }
                                @else { td class=[class(column, cell)] { (cell) } }
                            }
                        } }
                    }
                }
            }
        }
    }
}
