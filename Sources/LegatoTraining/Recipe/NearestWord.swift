/// Finds the word that somebody probably meant.
enum NearestWord {
  /// The nearest of `candidates`, or nil where none is near enough to be a likely slip.
  static func find(_ word: String, among candidates: [String]) -> String? {
    let nearest =
      candidates
      .map { (word: $0, distance: distance(word.lowercased(), $0.lowercased())) }
      .min { ($0.distance, $0.word) < ($1.distance, $1.word) }
    guard let nearest, nearest.distance <= max(2, max(word.count, nearest.word.count) / 2) else { return nil }
    return nearest.word
  }

  /// Edits between two words: insert, delete, replace, or swap neighbours (optimal string alignment).
  static func distance(_ a: String, _ b: String) -> Int {
    let a = Array(a.prefix(100))
    let b = Array(b.prefix(100))
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
        row.append(best)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}
