extension MetricTable {
  /// Heads of the columns.
  static let columns = [
    "", "value (95 % interval)", "two halves", "real against real", "this, likewise", "sounds", "vectors",
  ]

  /// Title of the table, with the count where figures of others do not compare.
  var title: String {
    guard !metric.isComparableAcrossCounts, let count = entries.first?.count else { return metric.title }
    return metric == .inception
      ? "\(metric.title) at \(count.pieces) sounds" : "\(metric.title) at \(count.rows) vectors"
  }

  /// The cells of each row, as many as there are columns.
  var cells: [[String]] {
    entries.map { entry in
      var value = entry.value.text
      if let fit = entry.fit?.explained { value += ", R² \(Estimate.digits(fit))" }
      if let deviation = entry.deviation { value += ", deviation \(Estimate.digits(deviation))" }
      return [
        entry.name, value, entry.halves?.map(Estimate.digits).joined(separator: " and ") ?? "–",
        entry.real.map { Estimate.spread(of: $0.values) } ?? "–",
        entry.real.map { Estimate.spread(of: $0.candidate) } ?? "–", "\(entry.count.pieces)",
        "\(entry.count.rows)",
      ]
    }
      + groups.map { group in
        let members = entries.filter { $0.label == group.label }.map(\.count)
        return [
          "\(group.label), \(group.trainings) trainings", group.value.text, "–", "–", "–",
          Self.text(each: members.map(\.pieces)), Self.text(each: members.map(\.rows)),
        ]
      }
  }

  /// "12 each", or "11 to 12 each".
  private static func text(each counts: [Int]) -> String {
    guard let low = counts.min(), let high = counts.max() else { return "–" }
    return (low == high ? "\(low)" : "\(low) to \(high)") + " each"
  }

  /// What is to be known of single rows, and of what they are set beside.
  var remarks: [String] {
    var remarks = entries.flatMap { entry in entry.warnings.map { "\(entry.name): \($0)" } }
    // Where no mean over trainings can be seen, and some would look for it.
    for label in Set(entries.filter(\.isOneOfSeveral).map(\.label)).sorted()
    where !groups.contains(where: { $0.label == label }) {
      remarks.append(
        "\(label): no mean over all its trainings: some have other counts of sounds or vectors, or too few for this figure"
      )
    }
    for entry in entries {
      guard let real = entry.real, metric != .divergence else { continue }
      let remark =
        "real against real: \(real.values.count) draws of \(real.count.pieces) sounds, \(real.count.rows) vectors, against the "
        + "rest of the reference, mean (range); likewise: as many of the candidate against the same"
      if !remarks.contains(remark) { remarks.append(remark) }
    }
    return remarks
  }

  /// For a terminal.
  public var text: String {
    let rows = [Self.columns] + cells
    let widths = Self.columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      row.indices.map { column in
        let space = String(repeating: " ", count: widths[column] - row[column].count)
        return column < 5 ? row[column] + space : space + row[column]
      }.joined(separator: "  ")
    }
    return (["\(title), \(embedder.name)"] + lines + remarks.map { "  \($0)" }).joined(separator: "\n")
  }
}

extension EmbedderDetails {
  /// All of it in a sentence.
  public var text: String {
    var parts = ["\(dimension) dimensions"]
    if sampleRate > 0 { parts.append("\(sampleRate) Hz") }
    if let window {
      parts.append(
        "windows of \(Estimate.digits(window)) s" + (hop.map { " every \(Estimate.digits($0)) s" } ?? ""))
    } else {
      parts.append("whole sounds")
    }
    if !classes.isEmpty { parts.append("\(classes.count) classes") }
    parts.append(weights.map { "weights \($0)" } ?? "no weights")
    return "\(name): \(parts.joined(separator: ", ")); \(preparation)"
  }
}

extension SoundReport {
  /// For a terminal.
  public var text: String {
    var lines = [
      "reference: \(reference.source)\(reference.splits.isEmpty ? "" : " (\(reference.splits.joined(separator: ", ")))"), \(reference.sounds) sounds, \(Estimate.digits(reference.seconds / 60)) minutes"
    ]
    for (details, tables) in embedders {
      lines += ["", details.text]
      for table in tables { lines += ["", table.text] }
    }
    return lines.joined(separator: "\n")
  }
}
