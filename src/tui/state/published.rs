//! The article's published means beside what the runs here came to, as a table to be read.

use super::model_name::model_name;
use crate::run::{Difference, Reproduction, ReproductionRow};
use crate::tui::theme::{Symbol, Theme};

/// Runs that do not count of which each is told.
const TOLD: usize = 3;

/// The table in lines.
pub(super) fn text(table: &[Reproduction], theme: Theme) -> String {
    let mut lines = vec![format!("  {:<10}{:>9}{:>16}{:>12}", "accuracy", "published", "ours", "difference")];
    for one in table {
        lines.push(String::new());
        lines.push(format!("{}: {} on {}", one.experiment, model_name(&one.model), one.task));
        lines.extend(one.rows.iter().map(|row| line(row, theme)));
        if one.rows.iter().all(|row| row.ours.is_none()) {
            let key = theme.glyph(Symbol::Enter);
            lines.push(format!("  {key} on {0} trains it, or: glue-tui train {0}", one.experiment));
        }
        let told = one.not_counted.iter().take(TOLD);
        lines.extend(told.map(|(name, why)| format!("  not counted: {name}: {why}")));
        if one.not_counted.len() > TOLD {
            lines.push(format!("  and {} more are not counted", one.not_counted.len() - TOLD));
        }
    }
    lines.push(String::new());
    lines.push(format!(
        "Ours is the mean {} sd over the seeds that followed the recipe, each with its best weights by the \
         validation split. Within noise: two such means differ by as much in 95 of 100 cases.",
        theme.glyph(Symbol::PlusMinus)
    ));
    lines.join("\n")
}

/// `  validation      83.99  84.13 ±0.42 ×8       +0.14  within noise, ±0.47`.
fn line(row: &ReproductionRow, theme: Theme) -> String {
    let percent = |share: f64| format!("{:.2}", 100.0 * share);
    let (pm, times) = (theme.glyph(Symbol::PlusMinus), theme.glyph(Symbol::Times));
    let ours = match row.ours {
        None => theme.glyph(Symbol::Dash).to_string(),
        Some(ours) if ours.count == 1 => format!("{} {times}1", percent(ours.mean)),
        Some(ours) => format!("{} {pm}{} {times}{}", percent(ours.mean), percent(ours.sd), ours.count),
    };
    let difference = match row.difference {
        None => String::new(),
        Some(found @ Difference { value, noise }) => {
            let noise = noise.map_or(String::new(), |noise| format!(", {pm}{}", percent(noise)));
            format!("{:>+12.2}  {}{noise}", 100.0 * value, found.verdict())
        }
    };
    format!("  {:<10}{:>9}{ours:>16}{difference}", row.split.name(), percent(row.published))
}
