//! Draws the state: heading, tabs, the list, and a line that says what to press.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row as Cells, Table, Wrap};

use super::bars::{bar, colour};
use super::help;
use super::state::{Place, Seen, State};
use crate::figure::{count, cpu, memory, percent, rate, sparkline};
use crate::past::Past;
use crate::row::Share;
use crate::{Row, SortBy, Subject};

/// Widths in cells.
const SPARK: usize = 12;
const BAR: usize = 10;
const NUMBER: u16 = 9;
/// Below this width the bars go, below that the sparklines too.
const BARS_FROM: u16 = 110;
const SPARKS_FROM: u16 = 76;

/// How a number is printed.
type Figure = fn(Option<f64>) -> String;

/// Draws everything and notes how many rows fit.
pub(super) fn draw(frame: &mut Frame<'_>, state: &mut State) {
    let [head, tabs, list, foot] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    state.height = usize::from(list.height.saturating_sub(1));
    frame.render_widget(Paragraph::new(heading(state)), head);
    frame.render_widget(Paragraph::new(tabs_line(state)), tabs);
    rows(frame, state, list);
    frame.render_widget(Paragraph::new(foot_line(state)), foot);
    if state.help {
        help::draw(frame, frame.area());
    }
}

fn heading(state: &State) -> Vec<Line<'static>> {
    let Some(seen) = &state.seen else {
        return vec![Line::from(format!("Taffrail · {}", state.server)), "reading …".into()];
    };
    let cluster = seen.status.cluster.as_ref().map_or("", |cluster| &cluster.name);
    let overview = &seen.overview;
    let mut first = vec![
        Span::styled(format!("{cluster} "), Style::new().bold()),
        Span::raw(format!(
            "· {}/{} nodes ready · {} pods · {}",
            overview.nodes.ready, overview.nodes.total, overview.pods.total, state.server
        )),
    ];
    if seen.status.targets.failed > 0 {
        let blind = {
            let targets = seen.status.targets;
            format!(" · {} of {} kubelets fail", targets.failed, targets.up + targets.failed)
        };
        first.push(Span::styled(blind, Style::new().fg(Color::Red)));
    }
    if let Some(age) = age(seen) {
        first.push(Span::styled(format!(" · {age}"), Style::new().fg(Color::DarkGray)));
    }
    let share = |[usage, request, allocatable]: [Option<f64>; 3]| Share {
        usage,
        request,
        limit: None,
        allocatable,
    };
    let (processor, bytes) = (share(overview.cpu), share(overview.memory));
    let whole = &seen.whole;
    vec![
        Line::from(first),
        sum_line("CPU   ", &processor, cpu, &whole.cpu),
        sum_line("Memory", &bytes, memory, &whole.memory),
    ]
}

/// How old the figures are, once they are older than they should be.
fn age(seen: &Seen) -> Option<String> {
    let made = seen.page.timestamp.or(seen.overview.timestamp)?;
    let old = (seen.status.now - made) / 1000;
    let usual = i64::try_from(seen.status.resolution_ms / 1000).unwrap_or(i64::MAX);
    (old > usual.saturating_mul(2)).then(|| format!("{old} s old"))
}

fn sum_line(
    name: &'static str,
    share: &Share,
    figure: Figure,
    past: &[Option<f64>],
) -> Line<'static> {
    let mut spans = vec![Span::raw(format!("{name} {:>10} ", figure(share.usage)))];
    spans.extend(bar(share, 2 * BAR));
    spans.push(Span::raw(format!(
        " {:>5} of {}, {} requested ",
        percent(share.ratio()),
        figure(share.allocatable),
        figure(share.request)
    )));
    spans.push(Span::styled(sparkline(past, 2 * SPARK), Style::new().fg(Color::Cyan)));
    Line::from(spans)
}

fn tabs_line(state: &State) -> Line<'static> {
    let here = state.place().subject;
    let mut spans = Vec::new();
    for (at, subject) in Subject::ALL.into_iter().enumerate() {
        let style = if subject == here {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        };
        spans.push(Span::styled(format!(" {} {} ", at + 1, subject.name()), style));
    }
    if !state.place().filters.exact.is_empty() {
        spans.push(Span::styled(format!("  {}", state.trail()), Style::new().bold()));
    }
    Line::from(spans)
}

fn rows(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let shown = state.rows();
    if shown.is_empty() {
        let text = Paragraph::new(empty(state)).wrap(Wrap { trim: true });
        frame.render_widget(text, area);
        return;
    }
    let place = state.place();
    let width = area.width;
    let (sparks, bars) = (width >= SPARKS_FROM, width >= BARS_FROM);
    let (last, last_by) = last_column(place.subject, place.order.by);
    let lines: Vec<_> = shown
        .iter()
        .map(|(position, row, past)| {
            let style = if *position == place.chosen {
                Style::new().add_modifier(Modifier::REVERSED)
            } else {
                Style::new()
            };
            Cells::new(cells(row, *past, (sparks, bars), last_by, &place.filters.exact))
                .style(style)
        })
        .collect();
    let mut widths = vec![Constraint::Min(16), Constraint::Length(NUMBER)];
    let mut heads = vec![head(place, "NAME", SortBy::Name), head(place, "CPU", SortBy::Cpu)];
    let extras = |widths: &mut Vec<Constraint>, heads: &mut Vec<String>| {
        if bars {
            widths.push(Constraint::Length(u16::try_from(BAR).unwrap_or_default()));
            heads.push(String::new());
        }
        if sparks {
            widths.push(Constraint::Length(u16::try_from(SPARK).unwrap_or_default()));
            heads.push(String::new());
        }
    };
    extras(&mut widths, &mut heads);
    widths.push(Constraint::Length(NUMBER + 1));
    heads.push(head(place, "MEMORY", SortBy::Memory));
    extras(&mut widths, &mut heads);
    widths.extend([Constraint::Length(NUMBER + 1), Constraint::Length(20)]);
    heads.extend([head(place, last, last_by), "STATE".to_owned()]);
    let header = Cells::new(heads).style(Style::new().bold());
    let table = Table::new(lines, widths).header(header).column_spacing(1);
    frame.render_widget(table, area);
}

/// The column beside CPU and memory: what the list is sorted by, else network or restarts.
fn last_column(subject: Subject, by: SortBy) -> (&'static str, SortBy) {
    match by {
        SortBy::Restarts => ("RESTARTS", by),
        SortBy::Pods => ("PODS", by),
        _ if subject == Subject::Containers => ("RESTARTS", SortBy::Restarts),
        _ => ("NETWORK", SortBy::Network),
    }
}

fn head(place: &Place, name: &str, by: SortBy) -> String {
    if place.order.by != by {
        return name.to_owned();
    }
    let ascends = (by == SortBy::Name) != place.order.reversed;
    format!("{name} {}", if ascends { '▲' } else { '▼' })
}

fn cells(
    row: &Row,
    past: Option<&Past>,
    (sparks, bars): (bool, bool),
    last: SortBy,
    within: &[(&'static str, String)],
) -> Vec<Cell<'static>> {
    let mut cells = vec![Cell::from(name(row, within))];
    let empty = Past::default();
    let past = past.unwrap_or(&empty);
    let figures: [(&Share, Figure, &[Option<f64>]); 2] =
        [(&row.cpu, cpu, &past.cpu), (&row.memory, memory, &past.memory)];
    for (share, figure, values) in figures {
        let style = share.ratio().map_or(Style::new(), |ratio| match colour(ratio) {
            Color::Green => Style::new(),
            pressing => Style::new().fg(pressing),
        });
        cells.push(Cell::from(Span::styled(figure(share.usage), style)));
        if bars {
            cells.push(Cell::from(Line::from(bar(share, BAR))));
        }
        if sparks {
            let line = sparkline(values, SPARK);
            cells.push(Cell::from(Span::styled(line, Style::new().fg(Color::Cyan))));
        }
    }
    cells.push(Cell::from(match last {
        SortBy::Restarts => count(row.restarts),
        SortBy::Pods => count(row.pods),
        _ if row.network.is_none() => String::new(),
        _ => rate(row.network),
    }));
    let style = if row.ailing { Style::new().fg(Color::Red) } else { Style::new() };
    cells.push(Cell::from(Span::styled(row.state.clone(), style)));
    cells
}

/// A name that tells the thing from others of the list: what all of them are `within` is left out.
fn name(row: &Row, within: &[(&'static str, String)]) -> String {
    let told = |part: &str| within.iter().any(|(name, _)| *name == part);
    let part = |name: &str, value: &Option<String>| match value {
        Some(value) if !told(name) => format!("{value}/"),
        _ => String::new(),
    };
    let kind = row.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
    let (namespace, pod) = (part("namespace", &row.namespace), part("pod", &row.pod));
    let text = format!("{namespace}{pod}{}{kind}", row.name);
    // A terminal obeys control characters: names are data.
    text.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}

/// Why there is no row.
fn empty(state: &State) -> String {
    let place = state.place();
    match (&state.failure, &state.seen) {
        (Some(error), None) => format!("{error}\n\nTrying again."),
        (_, None) => String::new(),
        (_, Some(_)) if !place.filters.search.is_empty() => {
            format!("No name holds \"{}\". Esc shows all.", place.filters.search)
        }
        (_, Some(seen)) if seen.page.timestamp.is_none() => "Waiting for a batch.".to_owned(),
        (_, Some(_)) => format!("No {} here.", place.subject.name()),
    }
}

fn foot_line(state: &State) -> Line<'static> {
    let place = state.place();
    if state.typing {
        return Line::from(format!("/{}▏  Enter keeps it, Esc clears it", place.filters.search));
    }
    let mut spans = Vec::new();
    if state.paused {
        spans.push(Span::styled("PAUSED ", Style::new().fg(Color::Yellow).bold()));
    }
    if let (Some(error), Some(_)) = (&state.failure, &state.seen) {
        let text = format!("last figures, for now: {error} ");
        spans.push(Span::styled(text, Style::new().fg(Color::Red)));
    }
    let total = state.total();
    let position = if total == 0 { 0 } else { place.chosen + 1 };
    let filter = match &*place.filters.search {
        "" => String::new(),
        text => format!(" /{text}"),
    };
    spans.push(Span::styled(
        format!("{position} of {total}{filter} · Enter into · Esc back · n c m t r sort · / filter · ? help · q quit"),
        Style::new().fg(Color::DarkGray),
    ));
    Line::from(spans)
}
