import ArgumentParser
import Foundation
import LegatoEvaluation
import LegatoTensor

/// `legato evaluate vectors`: the same metrics of embeddings that somebody else made.
struct EvaluateVectors: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vectors",
    abstract: "Measure embeddings that another program made: Fréchet distance, FD∞, KAD.",
    discussion: """
      Reads safetensors files. A file of one tensor [n, dimension]: each row is a sound of its own. A file of several: \
      each tensor [rows, dimension] is a sound. That the rates, windows and weights of both are the same is for you \
      to see to.

        legato evaluate vectors --reference real.safetensors --candidate made.safetensors
      """)

  @Option(help: ArgumentHelp("Embeddings of real sounds.", valueName: "safetensors"))
  var reference: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Embeddings to measure, or LABEL=embeddings; repeat it for several.", valueName: "[label=]safetensors"))
  var candidate: [String]

  @Option(help: "The seed of all draws of the measurement.")
  var seed: UInt64 = 1

  @Flag(help: "Draw the parts of FD∞ with replacement, as fadtk does.")
  var withReplacement = false

  @OptionGroup var reporting: OutputOptions

  func run() throws {
    let real = try set(reference, name: "reference")
    var options = SoundComparison.Options()
    (options.seed, options.withReplacement) = (seed, withReplacement)
    let candidates = try LabelledPath.all(candidate).map {
      SoundComparison.Candidate(
        label: $0.label, source: $0.path,
        set: try set($0.path, name: $0.label, dimension: real.details.dimension))
    }
    for table in try SoundComparison(reference: real, options: options).tables(candidates) {
      if reporting.json {
        try StandardOutput.json(table)
      } else {
        try StandardOutput.line(table.text + "\n")
      }
    }
  }

  private func set(_ path: String, name: String, dimension: Int? = nil) throws -> EmbeddedSet {
    let file = try SafetensorsFile(path: path)
    guard let wide = try file.names.first.map({ try file.entry($0).shape.last ?? 0 }), wide > 0 else {
      throw CommandError("\(path): there are no vectors in it; give tensors [n, dimension]")
    }
    if let dimension, dimension != wide {
      throw CommandError(
        "\(path): its vectors have \(wide) dimensions and the reference's \(dimension); embed both with the same weights"
      )
    }
    let details = EmbedderDetails(
      name: "vectors", weights: nil, sampleRate: 0, dimension: wide, window: nil, hop: nil,
      preparation: "as another program made them")
    let tensors = try file.names.map { name -> (String, [Float]) in
      let shape = try file.entry(name).shape
      guard shape.count == 2, shape[1] == wide else {
        throw CommandError("\(path): the tensor '\(name)' is \(shape), not [n, \(wide)]")
      }
      let values = try file.floats(name)
      guard values.allSatisfy(\.isFinite) else {
        throw CommandError("\(path): the tensor '\(name)' holds NaN or infinite values; make it again")
      }
      return (name, values)
    }
    let rows =
      tensors.count > 1
      ? tensors
      : (0..<tensors[0].1.count / wide).map {
        ("\($0)", Array(tensors[0].1[$0 * wide..<($0 + 1) * wide]))
      }
    let set = try EmbeddedSet(
      name: name, details: details,
      pieces: rows.map { .init(name: $0.0, embedded: EmbeddedSound(rows: $0.1)) })
    for warning in set.warnings { StandardError.write("warning: \(warning)\n") }
    return set
  }
}
