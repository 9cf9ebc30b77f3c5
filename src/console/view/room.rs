//! Where overlays go.

use ratatui::layout::Rect;

use crate::console::layout::Layout;

/// Between the header and the keys.
pub(super) fn room_of_overlays(layout: &Layout, screen: Rect) -> Rect {
    let taken = layout.header.height + layout.hints.height;
    Rect {
        height: screen.height.saturating_sub(taken),
        y: layout.header.height,
        ..screen
    }
}
