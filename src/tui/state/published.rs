//! The table of the published results and those of the runs.

use super::model_name::model_name;
use crate::run::{Difference, Reproduction, ReproductionRow};
use crate::tui::theme::{Symbol, Theme};

/// Number of excluded runs that are listed.
const MAX_EXCLUDED: usize = 3;

/// The table as text.
pub(super) fn text(table: &[Reproduction], theme: Theme) -> String {
    let mut lines = vec![format!("  {:<10}{:>9}{:>16}{:>12}", "accuracy", "published", "ours", "difference")];
    for result in table {
        lines.push(String::new());
        lines.push(format!("{}: {} on {}", result.experiment, model_name(&result.model), result.task));
        lines.extend(result.rows.iter().map(|row| line(row, theme)));
        if result.rows.iter().all(|row| row.ours.is_none()) {
            let key = theme.symbol(Symbol::Enter);
            lines.push(format!(
                "  no run yet: press {key} on it, or run glue-tui train {0}",
                result.experiment
            ));
        }
        let excluded = result.not_counted.iter().take(MAX_EXCLUDED);
        lines.extend(excluded.map(|(name, reason)| format!("  excluded: {name}: {reason}")));
        if result.not_counted.len() > MAX_EXCLUDED {
            lines.push(format!("  and {} more excluded", result.not_counted.len() - MAX_EXCLUDED));
        }
    }
    lines.push(String::new());
    lines.push(format!(
        "Ours: mean {} sd over the seeds trained with the recipe, each with its best weights on the validation \
         split. Within noise: the difference of two such means is as large in 95 of 100 cases.",
        theme.symbol(Symbol::PlusMinus)
    ));
    lines.join("\n")
}

/// `  validation      83.99  84.13 ±0.42 ×8       +0.14  within noise, ±0.47`.
fn line(row: &ReproductionRow, theme: Theme) -> String {
    let percent = |share: f64| format!("{:.2}", 100.0 * share);
    let (pm, times) = (theme.symbol(Symbol::PlusMinus), theme.symbol(Symbol::Times));
    let ours = match row.ours {
        None => theme.symbol(Symbol::Dash).to_string(),
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
