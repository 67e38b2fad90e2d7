import Foundation

extension LatentDriftReport {
  /// A table in Markdown, with what it was measured on above and the floors below.
  public var markdown: String {
    func number(_ value: Double?) -> String { value.map { String(format: "%.3g", $0) } ?? "–" }
    let space =
      components.map {
        "the first \($0) of \(dimension) principal components (\(String(format: "%.0f", explainedVariance * 100)) % of the variance)"
      } ?? "all \(dimension) dimensions"
    var lines = [
      "Fréchet distance of latents to \(referenceFrames) real ones by position, on \(space); "
        + "\(rollouts.count) rollouts, bins of \(number(binSeconds)) s.", "",
      "| seconds | latents | distance, all rollouts | one rollout, mean ± deviation | deviation / real | shift of the mean |",
      "|---|---|---|---|---|---|",
    ]
    for bin in bins {
      let single = bin.rolloutMean.map { mean in
        number(mean) + (bin.rolloutDeviation.map { " ± " + number($0) } ?? "")
      }
      lines.append(
        "| \(number(bin.start))–\(number(bin.end)) | \(bin.frames) | \(number(bin.distance.value)) | \(single ?? "–") "
          + "| \(number(bin.deviationRatio)) | \(number(bin.meanShift)) |")
    }
    lines.append("| real music | | \(number(pooledFloor)) | \(number(rolloutFloor)) | 1 | 0 |")
    for warning in warnings { lines += ["", "Caution: \(warning)."] }
    return lines.joined(separator: "\n") + "\n"
  }
}
