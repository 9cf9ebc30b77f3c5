//! The pictures of the README: drawn by the console itself, so that they cannot go stale.
//! `UPDATE_SCREENS=1 cargo test console` writes them anew.

use std::fmt::Write as _;

use ratatui::style::Modifier;

use super::*;

/// Cells are integers wide and high: fractions leave hairlines between them.
const CELL: (u16, u16) = (9, 19);
const MARGIN: u16 = 10;
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d8dbe2";

#[test]
fn the_pictures_show_the_console_as_it_is() {
    check("streaming", Scene::Streaming, (120, 40), "2");
    check("held", Scene::Held, (100, 30), "2");
    check("schema", Scene::Held, (100, 30), "2 enter");
    check("snapshot", Scene::Copying, (100, 30), "S");
    check("compact", Scene::Streaming, (48, 12), "2");
}

fn check(name: &str, scene: Scene, size: (u16, u16), keys: &str) {
    let mut model = console(scene);
    press(&mut model, keys);
    let fresh = svg(&drawn(&mut model, size));
    let path = format!("{}/assets/screens/{name}.svg", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SCREENS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == fresh, "{path} is stale: run with UPDATE_SCREENS=1");
}

/// Returns a picture of a screen: one rectangle for each run of equal background, each run of
/// equal style as one text whose glyphs are placed one by one.
fn svg(buffer: &Buffer) -> String {
    let (width, height) = (buffer.area.width, buffer.area.height);
    let (right, bottom) = (width * CELL.0 + 2 * MARGIN, height * CELL.1 + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {bottom}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,monospace\" font-size=\"15\">\n\
         <rect width=\"{right}\" height=\"{bottom}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for (y, row) in (0..).zip(buffer.content.chunks(usize::from(width))) {
        for run in runs(row) {
            draw_run(&mut svg, y, run);
        }
    }
    svg + "</svg>\n"
}

/// A run of cells of one style: where it begins, and its cells.
type Run<'a> = (u16, &'a [ratatui::buffer::Cell]);

fn runs(row: &[ratatui::buffer::Cell]) -> Vec<Run<'_>> {
    let mut from = 0;
    let same = row.chunk_by(|one, other| one.style() == other.style());
    let placed = same.map(|cells| {
        let run = (from, cells);
        from += u16::try_from(cells.len()).unwrap();
        run
    });
    placed.collect()
}

fn draw_run(svg: &mut String, y: u16, (x, cells): Run<'_>) {
    let cell = &cells[0];
    let (mut fill, mut ground) = (colour(cell.fg, FOREGROUND), colour(cell.bg, BACKGROUND));
    if cell.modifier.contains(Modifier::REVERSED) {
        (fill, ground) = (ground, fill);
    }
    let (left, top) = (MARGIN + x * CELL.0, MARGIN + y * CELL.1);
    if ground != BACKGROUND {
        let width = u16::try_from(cells.len()).unwrap() * CELL.0;
        writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{}\" fill=\"{ground}\"/>",
            CELL.1
        )
        .unwrap();
    }
    let symbols: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
    if symbols.trim().is_empty() {
        return;
    }
    let places: Vec<String> = (0..cells.len())
        .map(|index| (usize::from(left) + index * usize::from(CELL.0)).to_string())
        .collect();
    let weight = if cell.modifier.contains(Modifier::BOLD) {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let dim = if cell.modifier.contains(Modifier::DIM) {
        " opacity=\"0.65\""
    } else {
        ""
    };
    let escaped = symbols
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    writeln!(
        svg,
        "<text xml:space=\"preserve\" x=\"{}\" y=\"{}\" fill=\"{fill}\"{weight}{dim}>{escaped}</text>",
        places.join(" "),
        top + 14
    )
    .unwrap();
}

fn colour(colour: Color, otherwise: &'static str) -> &'static str {
    match colour {
        Color::Cyan => "#4cc3d9",
        Color::LightRed => "#ff7a72",
        Color::Yellow => "#e3b341",
        Color::Black => "#16181d",
        _ => otherwise,
    }
}
