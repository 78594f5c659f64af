//! The page of keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::keys::KEYS;

/// Draws it over what is there.
pub(super) fn draw(frame: &mut Frame<'_>, screen: Rect) {
    let lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|(key, does)| {
            Line::from(vec![
                Span::styled(format!(" {key:<17}"), Style::new().bold()),
                (*does).into(),
            ])
        })
        .collect();
    let width = lines.iter().map(Line::width).max().unwrap_or(0);
    let size = |wanted: usize, most: u16| u16::try_from(wanted + 2).unwrap_or(most).min(most);
    let (width, height) = (size(width + 1, screen.width), size(lines.len(), screen.height));
    let area = Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" Keys ")), area);
}
