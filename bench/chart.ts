/**
 * Draws the results: a row for each operation and shape, and a mark for each peer, on a logarithmic scale of ratios.
 */
import type { Row } from "./report.ts"

const width = 860
const labels = 250
const right = 24
const legendTop = 44
const legendColumns = 5
const legendHeight = 18
const rowHeight = 20
const groupGap = 10
const markSize = 5

/** The ratios that have a line. The first and the last are the ends of the scale. */
const ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]

/** Form and colour distinguish the peers. They are the same in light and dark mode. */
const forms: ReadonlyArray<(x: number, y: number) => string> = [
  (x, y) => `<circle cx="${x}" cy="${y}" r="${markSize}"/>`,
  (x, y) => `<rect x="${x - markSize}" y="${y - markSize}" width="${markSize * 2}" height="${markSize * 2}"/>`,
  (x, y) => polygon([x, y - 7], [x + 7, y], [x, y + 7], [x - 7, y]),
  (x, y) => polygon([x, y - 6], [x + 6, y + 5], [x - 6, y + 5])
]
const colours = ["#3b82c4", "#c8553d", "#7a9a2e", "#a56cc1", "#c9962b", "#2a9d8f", "#8d6e63", "#d16ba5"]

/** Returns the chart as an SVG file. */
export const chart = (rows: ReadonlyArray<Row>, caption: string): string => {
  const peers = [...new Set(rows.map(({ peer }) => peer))]
  const top = legendTop + Math.ceil(peers.length / legendColumns) * legendHeight + 24
  const groups = Map.groupBy(rows, ({ task }) => task.operation)
  const lines: Array<string> = []
  let y = top
  for (const [operation, members] of groups) {
    const shapes = Map.groupBy(members, ({ task }) => `${task.fibers} × ${task.clients}`)
    lines.push(text(16, y + 14, operation, "name"))
    for (const [shape, row] of shapes) {
      const middle = y + rowHeight / 2
      lines.push(text(labels - 14, middle + 4, shape, "shape"))
      lines.push(`<line class="row" x1="${labels}" x2="${width - right}" y1="${middle}" y2="${middle}"/>`)
      lines.push(...row.map((result) => mark(result, peers.indexOf(result.peer), middle)))
      y += rowHeight
    }
    y += groupGap
  }
  const bottom = y
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom + 34}" role="img">`,
    `<title>${escaped(caption)}</title>`,
    style,
    `<rect class="paper" width="${width}" height="${bottom + 34}" rx="6"/>`,
    text(16, 26, "Our rate over theirs (right of 1: ours is faster), by operation and fibers × clients", "name"),
    ...peers.map((peer, i) => legend(peer, i)),
    ...ticks.map((tick) => scale(tick, top, bottom)),
    ...lines,
    "</svg>",
    ""
  ].join("\n")
}

const style = `<style>
  svg { font: 12px system-ui, sans-serif }
  .paper { fill: #ffffff }
  text { fill: #24292f }
  .name { font-weight: 600 }
  .shape { text-anchor: end }
  .tick { text-anchor: middle; font-size: 11px }
  .grid { stroke: #d8dee4 }
  .row { stroke: #eef1f4 }
  .even { stroke: #57606a; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 }
    text { fill: #e6edf3 }
    .grid { stroke: #30363d }
    .row { stroke: #1c2128 }
    .even { stroke: #9198a1 }
  }
</style>`

/** The horizontal position of a ratio. Ratios beyond the scale are at its ends. */
const position = (ratio: number): number => {
  const [low, high] = [Math.log(ticks[0]!), Math.log(ticks.at(-1)!)]
  const part = (Math.log(ratio) - low) / (high - low)
  return round(labels + Math.min(1, Math.max(0, part)) * (width - right - labels))
}

const scale = (tick: number, top: number, bottom: number): string => {
  const x = position(tick)
  return [
    `<line class="${tick === 1 ? "even" : "grid"}" x1="${x}" x2="${x}" y1="${top - 10}" y2="${bottom}"/>`,
    text(x, top - 16, String(tick), "tick"),
    text(x, bottom + 18, String(tick), "tick")
  ].join("\n")
}

/** A form at the median, and a line from the lowest to the highest ratio. */
const mark = ({ highest, key, lowest, ratio }: Row, peer: number, y: number): string =>
  group(
    peer,
    [
      `<title>${escaped(`${key}: ${ratio.toFixed(2)} (${lowest.toFixed(2)}–${highest.toFixed(2)})`)}</title>`,
      `<line x1="${position(lowest)}" x2="${position(highest)}" y1="${y}" y2="${y}"/>`,
      formOf(peer)(position(ratio), y)
    ].join("")
  )

const legend = (peer: string, i: number): string => {
  const [x, y] = [24 + (i % legendColumns) * 160, legendTop + Math.floor(i / legendColumns) * legendHeight]
  return group(i, formOf(i)(x, y)) + text(x + 12, y + 4, peer, "peer")
}

const group = (peer: number, content: string): string => {
  const colour = colours[peer % colours.length]!
  return `<g fill="${colour}" stroke="${colour}">${content}</g>`
}

const formOf = (peer: number): (x: number, y: number) => string => forms[peer % forms.length]!

const polygon = (...points: ReadonlyArray<readonly [number, number]>): string =>
  `<polygon points="${points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ")}"/>`

const text = (x: number, y: number, content: string, style: string): string =>
  `<text class="${style}" x="${x}" y="${y}">${escaped(content)}</text>`

const escaped = (content: string): string => content.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const round = (n: number): number => Math.round(n * 10) / 10
