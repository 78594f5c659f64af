//! Answers as a plot in the terminal: braille dots, a colour per series.

use super::Line;
use super::table::time;
use crate::commands::text::put;

/// Cells of the plot; a cell holds 2 × 4 dots.
const WIDTH: usize = 72;
const HEIGHT: usize = 16;
/// Series that are drawn; more are counted.
const MAX_DRAWN: usize = 8;
/// Foreground colours of the series.
const COLOURS: [u8; MAX_DRAWN] = [34, 32, 33, 35, 36, 31, 94, 92];

/// Draws the first series over one time and one scale.
pub(super) fn plot(lines: &[Line], colour: bool) -> String {
    let drawn = lines.get(..MAX_DRAWN.min(lines.len())).unwrap_or_default();
    let points = || drawn.iter().flat_map(|line| &line.points).filter(|(_, v)| v.is_finite());
    let bounds = |pick: fn(&(f64, f64)) -> f64| {
        let range = points().map(pick);
        range.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let ((first, last), (low, high)) = (bounds(|point| point.0), bounds(|point| point.1));
    if first > last {
        return "no samples to draw".to_owned();
    }
    let mut cells = vec![(0u8, 0usize); WIDTH * HEIGHT];
    for (series, line) in drawn.iter().enumerate() {
        for (at, value) in line.points.iter().filter(|(_, value)| value.is_finite()) {
            let x = scaled(*at, (first, last), WIDTH * 2);
            let y = HEIGHT * 4 - 1 - scaled(*value, (low, high), HEIGHT * 4);
            if let Some(cell) = cells.get_mut(y / 4 * WIDTH + x / 2) {
                *cell = (cell.0 | dot(x % 2, y % 4), series);
            }
        }
    }
    let labels = [format!("{high:.6}"), format!("{low:.6}")].map(|text| shortened(&text));
    let margin = labels.iter().map(String::len).max().unwrap_or(0);
    let mut out = String::new();
    for (row, cells) in cells.chunks(WIDTH).enumerate() {
        let label = match row {
            0 => labels[0].as_str(),
            _ if row == HEIGHT - 1 => labels[1].as_str(),
            _ => "",
        };
        put(&mut out, format_args!("{label:>margin$} │"));
        for (dots, series) in cells {
            let shown = char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(' ');
            if colour && *dots != 0 {
                put(&mut out, format_args!("\x1b[{}m{shown}\x1b[0m", COLOURS[*series]));
            } else {
                out.push(shown);
            }
        }
        out.push('\n');
    }
    put(&mut out, format_args!("{:margin$} └{}\n", "", "─".repeat(WIDTH)));
    let (from, to) = (time(first), time(last));
    let gap = (WIDTH + 1).saturating_sub(from.len() + to.len());
    put(&mut out, format_args!("{:margin$}  {from}{:gap$}{to}\n", "", ""));
    for (line, code) in drawn.iter().zip(COLOURS) {
        let mark = if colour { format!("\x1b[{code}m●\x1b[0m") } else { "●".to_owned() };
        put(&mut out, format_args!("{mark} {}\n", line.title()));
    }
    if lines.len() > drawn.len() {
        put(&mut out, format_args!("and {} series more, not drawn\n", lines.len() - drawn.len()));
    }
    out
}

/// The place of `value` among `count`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "between zero and count"
)]
fn scaled(value: f64, (low, high): (f64, f64), count: usize) -> usize {
    if high <= low {
        return count / 2;
    }
    let share = (value - low) / (high - low);
    ((share * (count - 1) as f64).round() as usize).min(count - 1)
}

/// The bit of a dot within its braille cell.
fn dot(x: usize, y: usize) -> u8 {
    const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    BITS[x][y]
}

fn shortened(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rising_line_goes_from_bottom_left_to_top_right() {
        let points = (0..100).map(|at| (f64::from(at), f64::from(at) * 2.0)).collect();
        let line = Line { name: "m".to_owned(), labels: Vec::new(), points };
        let text = plot(&[line], false);
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].starts_with("198 │") && !rows[0].ends_with('\u{2800}'), "{text}");
        assert!(
            rows[HEIGHT - 1].starts_with("  0 │⣀") || rows[HEIGHT - 1].starts_with("  0 │⡠"),
            "{text}"
        );
        assert!(rows.contains(&"● m"));
        assert_eq!(plot(&[], false), "no samples to draw");
    }
}
