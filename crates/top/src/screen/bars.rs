//! A bar of what is used against what is requested and allowed.

use ratatui::style::{Color, Style};
use ratatui::text::Span;

use crate::figure::cells;
use crate::row::Share;

/// From this share of the limit on it is worth a look, and then pressing.
const NEAR: f64 = 0.75;
const FULL: f64 = 0.9;

/// `width` cells: usage filled, the rest up to the bound dotted, the request as a mark. Without a
/// bound it is blank: there is nothing to be measured against.
pub(super) fn bar(share: &Share, width: usize) -> Vec<Span<'static>> {
    let (Some(ratio), Some(bound)) = (share.ratio(), share.bound()) else {
        return vec![Span::raw(" ".repeat(width))];
    };
    let filled = cells(ratio, width);
    let mark = share
        .request
        .filter(|request| *request > 0.0 && *request < bound)
        .map(|request| cells(request / bound, width).min(width) - 1);
    let mut text: Vec<char> = vec!['█'; filled];
    text.resize(width, '·');
    if let Some(mark) = mark {
        text[mark] = if mark < filled { '▌' } else { '|' };
    }
    let (full, rest) = text.split_at(filled);
    vec![
        Span::styled(full.iter().collect::<String>(), Style::new().fg(colour(ratio))),
        Span::styled(rest.iter().collect::<String>(), Style::new().fg(Color::DarkGray)),
    ]
}

/// Green, yellow, red: how near usage is to what bounds it.
pub(super) fn colour(ratio: f64) -> Color {
    if ratio >= FULL {
        Color::Red
    } else if ratio >= NEAR {
        Color::Yellow
    } else {
        Color::Green
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(usage: f64, request: Option<f64>, limit: Option<f64>, expected: &str) {
        let share = Share { usage: Some(usage), request, limit, allocatable: None };
        let text: String = bar(&share, 10).iter().map(|span| span.content.clone()).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn bars_show_usage_request_and_limit() {
        check(50.0, None, Some(100.0), "█████·····");
        check(20.0, Some(80.0), Some(100.0), "██·····|··");
        check(90.0, Some(50.0), Some(100.0), "████▌████·");
        check(900.0, Some(50.0), None, "██████████");
        check(5.0, None, None, "          ");
        check(0.0, None, Some(10.0), "··········");
    }
}
