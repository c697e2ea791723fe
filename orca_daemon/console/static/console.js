// Refreshes the part of a page that changes: only while the tab is seen, and never under the hands of its reader.
"use strict";

(() => {
    const live = () => document.getElementById("live");

    const busy = (part) => {
        const at = document.activeElement;
        const typing = at && part.contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName);
        const selecting = String(document.getSelection() || "") !== "";
        return typing || selecting;
    };

    const refresh = () => {
        const part = live();
        if (!part || document.hidden || busy(part) || part.classList.contains("htmx-request")) return;
        htmx.trigger(part, "refresh");
    };

    // Looked up each time, because a page that waits for something asks more often until it is there.
    const again = () => window.setTimeout(() => { refresh(); again(); }, 1000 * Number(live()?.dataset.every || 10));

    const begin = () => {
        const part = live();
        if (!part || !window.htmx) return;
        // What the reader has unfolded stays unfolded.
        const callbacks = Idiomorph.defaults.callbacks;
        callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
        // What was entered and not sent yet stays.
        callbacks.beforeNodeMorphed = (node) => !(node.nodeType === Node.ELEMENT_NODE && node.matches("form.filters"));
        document.addEventListener("visibilitychange", refresh);
        again();
    };

    document.addEventListener("keydown", (event) => {
        const search = document.querySelector("input[type=search]");
        if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !search) return;
        if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
        event.preventDefault();
        search.focus();
    });

    document.addEventListener("submit", (event) => {
        // A double click sends a form once; the server would do it once anyway.
        const button = event.submitter;
        if (button && event.target.method === "post") window.setTimeout(() => { button.disabled = true; }, 0);
    });

    window.addEventListener("pageshow", () => {
        for (const button of document.querySelectorAll("form[method=post] button[disabled]")) button.disabled = false;
    });

    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
    else begin();
})();
