import Foundation
import LegatoAudio

extension SoundReport {
  /// Excerpts of one set, to be heard.
  public struct Excerpts: Sendable {
    public var label: String
    public var sounds: [(name: String, sound: AudioBuffer)]

    public init(label: String, sounds: [(name: String, sound: AudioBuffer)]) {
      (self.label, self.sounds) = (label, sounds)
    }
  }

  /// The report as one page that asks nothing of the network, which its policy forbids anyway: tables, pictures, and players of
  /// excerpts beside each other, the reference's first.
  public func html(excerpts: [Excerpts] = []) -> String {
    let embedders = self.embedders
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; media-src data:; \
      style-src 'unsafe-inline'">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>Sounds against \(reference.source.escapedForMarkup)</title>
      <style>\(HTML.style)</style>
      </head>
      <body>
      <h1>Sounds against \(reference.source.escapedForMarkup)</h1>
      \(HTML.list(warnings, class: "warnings"))
      \(sources)
      \(Self.players(excerpts))
      \(embedders.map { Self.section($0.details, $0.tables) }.joined(separator: "\n"))
      <footer>Seed of all draws \(seed). Intervals are 95 %, by a jackknife over sounds, never windows. \
      Numbers compare within a table; between reports where embedder, weights, reference and counts agree.</footer>
      </body>
      </html>

      """
  }

  private var sources: String {
    HTML.table(
      ["", "source", "sounds", "minutes", "Hz", "channels", "made by"],
      ([reference] + candidates).map { source in
        func list(_ counts: [String: Int]) -> String {
          counts.sorted { $0.key < $1.key }.map { counts.count > 1 ? "\($0.key) (\($0.value))" : $0.key }
            .joined(separator: ", ")
        }
        return [
          source.label, source.source, "\(source.sounds)", Estimate.digits(source.seconds / 60),
          list(source.sampleRates), list(source.channels),
          [source.generation, source.weights.map { "weights \($0)" }].compactMap { $0 }.joined(
            separator: "; "),
        ]
      })
  }

  private static func section(_ details: EmbedderDetails, _ tables: [MetricTable]) -> String {
    var parts = [
      "<section>", "<h2>\(details.name.escapedForMarkup)</h2>", "<p>\(details.text.escapedForMarkup)</p>",
    ]
    for table in tables {
      parts += [
        "<h3>\(table.title.escapedForMarkup)</h3>", "<p>\(table.metric.note.escapedForMarkup)</p>",
        "<p>Reference: \(table.reference.pieces) sounds, \(table.reference.rows) vectors of \(details.dimension) dimensions.</p>",
        HTML.table(MetricTable.columns, table.cells), HTML.list(table.remarks, class: "remarks"),
      ]
      if let chart = table.chart { parts.append(HTML.picture(svg: chart.svg(), of: table.title)) }
    }
    return (parts + ["</section>"]).joined(separator: "\n")
  }

  private static func players(_ excerpts: [Excerpts]) -> String {
    let rows = excerpts.map(\.sounds.count).max() ?? 0
    guard rows > 0 else { return "" }
    let picture = AudioPicture(width: 420, height: 220)
    let body = (0..<rows).map { row in
      let cells = excerpts.map { set -> String in
        guard row < set.sounds.count else { return "<td></td>" }
        let (name, sound) = set.sounds[row]
        return "<td>\(name.escapedForMarkup)<br>" + HTML.picture(png: picture.png(sound), of: name)
          + "<br><audio controls preload=\"none\" src=\"\(HTML.wav(sound))\"></audio></td>"
      }
      return "<tr>" + cells.joined() + "</tr>"
    }
    let heads = excerpts.map { "<th>\($0.label.escapedForMarkup)</th>" }.joined()
    return
      "<h2>To hear</h2>\n<div class=\"wide\"><table><tr>\(heads)</tr>\n\(body.joined(separator: "\n"))</table></div>"
  }
}

extension MetricTable {
  /// The distances of parts and their lines, along 1/n.
  var chart: Chart? {
    guard metric == .extrapolated else { return nil }
    let series = entries.flatMap { entry -> [Chart.Series] in
      guard let fit = entry.fit, let index = entries.firstIndex(where: { $0.fit == fit }) else { return [] }
      let x = fit.points.map { 1 / Double($0.samples) }
      let color = Chart.colors[index % Chart.colors.count]
      let end = x.max() ?? 0
      return [
        .init(entry.name, x: x, y: fit.points.map(\.value), mark: .points, color: color),
        .init("", x: [0, end], y: [fit.value, fit.value + fit.slope * end], color: color, isDashed: true),
      ]
    }
    guard !series.isEmpty else { return nil }
    return Chart(
      title: "Fréchet distance of parts", xLabel: "1 / vectors", yLabel: "Fréchet distance", series: series,
      width: 640, height: 360)
  }
}

/// Pieces of a page.
enum HTML {
  static let style = """
    :root { color-scheme: light dark; --line: #c8ccd2; --soft: #f3f4f6; --warn: #8a5a00; }
    @media (prefers-color-scheme: dark) { :root { --line: #454a52; --soft: #23262b; --warn: #f0c060; } }
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
    table { border-collapse: collapse; margin: .5rem 0 1rem; }
    th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
    th { background: var(--soft); }
    .wide { overflow-x: auto; }
    .warnings, .remarks { color: var(--warn); }
    img { max-width: 100%; background: #fff; border-radius: 4px; }
    footer { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: .5rem; }
    """

  static func table(_ heads: [String], _ rows: [[String]]) -> String {
    func row(_ cells: [String], _ tag: String) -> String {
      "<tr>" + cells.map { "<\(tag)>\($0.escapedForMarkup)</\(tag)>" }.joined() + "</tr>"
    }
    return "<div class=\"wide\"><table>"
      + ([row(heads, "th")] + rows.map { row($0, "td") }).joined(separator: "\n")
      + "</table></div>"
  }

  static func list(_ items: [String], class name: String) -> String {
    items.isEmpty
      ? "" : "<ul class=\"\(name)\">" + items.map { "<li>\($0.escapedForMarkup)</li>" }.joined() + "</ul>"
  }

  static func picture(svg: String, of name: String) -> String {
    picture("image/svg+xml", Array(svg.utf8), name)
  }

  static func picture(png: [UInt8], of name: String) -> String { picture("image/png", png, name) }

  private static func picture(_ kind: String, _ bytes: [UInt8], _ name: String) -> String {
    "<img alt=\"\(name.escapedForMarkup)\" src=\"\(data(kind, bytes))\">"
  }

  private static func data(_ kind: String, _ bytes: [UInt8]) -> String {
    "data:\(kind);base64,\(Data(bytes).base64EncodedString())"
  }

  /// A sound as a 16-bit mono WAV file.
  static func wav(_ sound: AudioBuffer) -> String {
    let samples = sound.converted(toChannels: 1).channels[0]
    func word(_ value: Int, _ bytes: Int) -> [UInt8] {
      (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let (size, rate) = (2 * samples.count, sound.sampleRate)
    var bytes = Array("RIFF".utf8) + word(36 + size, 4) + Array("WAVEfmt ".utf8) + word(16, 4)
    bytes += word(1, 2) + word(1, 2) + word(rate, 4) + word(2 * rate, 4) + word(2, 2) + word(16, 2)
    bytes += Array("data".utf8) + word(size, 4)
    bytes.reserveCapacity(44 + size)
    for sample in samples { bytes += word(Int((max(-1, min(1, sample)) * 32_767).rounded()), 2) }
    return data("audio/wav", bytes)
  }
}
