//! The pictures of the README: drawn by the console itself, so that they cannot go stale.
//! `UPDATE_SCREENS=1 cargo test console` writes them anew. `LOOK_AT_SCREENS=DIR cargo test console`
//! writes every screen of the snapshots, on a dark and on a light ground, for eyes to judge.

use std::fmt::Write as _;

use ratatui::style::Modifier;

use super::*;

/// Cells are integers wide and high: fractions leave hairlines between them. They are as high as the
/// font's lines and bars, which then meet.
const CELL: (u16, u16) = (9, 17);
const MARGIN: u16 = 10;

/// What a terminal makes of the colours.
#[derive(Debug, Clone, Copy)]
struct Ground {
    name: &'static str,
    background: &'static str,
    foreground: &'static str,
    blue: &'static str,
    red: &'static str,
    magenta: &'static str,
}

const DARK: Ground = Ground {
    name: "dark",
    background: "#16181d",
    foreground: "#d8dbe2",
    blue: "#62a6f5",
    red: "#ff7a72",
    magenta: "#d68bee",
};

const LIGHT: Ground = Ground {
    name: "light",
    background: "#ffffff",
    foreground: "#1f2328",
    blue: "#2a7bde",
    red: "#d93a30",
    magenta: "#b4009e",
};

#[test]
fn the_pictures_show_the_console_as_it_is() {
    check("streaming", SampleState::Streaming, (120, 40), "2");
    check("held", SampleState::Held, (100, 30), "2");
    check("schema", SampleState::Held, (100, 30), "2 enter");
    check("snapshot", SampleState::Copying, (100, 30), "S");
    check("compact", SampleState::Streaming, (48, 12), "2");
}

fn check(name: &str, sample: SampleState, size: (u16, u16), keys: &str) {
    let mut model = console(sample);
    press(&mut model, keys);
    let fresh = svg(&drawn(&mut model, size), DARK);
    let path = format!("{}/assets/screens/{name}.svg", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SCREENS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == fresh, "{path} is stale: run with UPDATE_SCREENS=1");
}

/// Writes a screen on both grounds, when somebody wants to look.
pub(super) fn look_at(name: &str, buffer: &Buffer) {
    let Some(directory) = std::env::var_os("LOOK_AT_SCREENS") else {
        return;
    };
    for ground in [DARK, LIGHT] {
        let size = format!("{}x{}", buffer.area.width, buffer.area.height);
        let name = format!("{name}_{size}_{}.svg", ground.name);
        let path = std::path::Path::new(&directory).join(name);
        std::fs::write(path, svg(buffer, ground)).unwrap();
    }
}

/// Returns a picture of a screen: one rectangle for each run of equal background, each run of
/// equal style as one text whose glyphs are placed one by one.
fn svg(buffer: &Buffer, ground: Ground) -> String {
    let background = ground.background;
    let (width, height) = (buffer.area.width, buffer.area.height);
    let (right, bottom) = (width * CELL.0 + 2 * MARGIN, height * CELL.1 + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {bottom}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,monospace\" font-size=\"15\">\n\
         <rect width=\"{right}\" height=\"{bottom}\" rx=\"8\" fill=\"{background}\"/>\n"
    );
    for (y, row) in (0..).zip(buffer.content.chunks(usize::from(width))) {
        for run in runs(row) {
            draw_run(&mut svg, ground, y, run);
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

fn draw_run(svg: &mut String, ground: Ground, y: u16, (x, cells): Run<'_>) {
    let cell = &cells[0];
    let mut fill = colour(ground, cell.fg, ground.foreground);
    let mut behind = colour(ground, cell.bg, ground.background);
    if cell.modifier.contains(Modifier::REVERSED) {
        (fill, behind) = (behind, fill);
    }
    let (left, top) = (MARGIN + x * CELL.0, MARGIN + y * CELL.1);
    if behind != ground.background {
        let width = u16::try_from(cells.len()).unwrap() * CELL.0;
        writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{}\" fill=\"{behind}\"/>",
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

fn colour(ground: Ground, colour: Color, otherwise: &'static str) -> &'static str {
    match colour {
        Color::LightBlue => ground.blue,
        Color::LightRed => ground.red,
        Color::LightMagenta => ground.magenta,
        Color::Yellow => "#e3b341",
        Color::Black => "#16181d",
        _ => otherwise,
    }
}
