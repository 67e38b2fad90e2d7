import Foundation
import Yams

extension Recipe {
  /// Reads a recipe file.
  ///
  /// - Parameter settings: changes from the command line, each `key.path=value`, applied before reading.
  /// - Throws: `RecipeError`, which names every mistake with its line.
  public init(path: String, settings: [String] = []) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw RecipeError(
        file: path, "there is no such file; the recipes that come with Legato are in Recipes/")
    }
    guard !isFolder.boolValue else {
      throw RecipeError(file: path, "this is a folder; name a recipe file (to resume a run: its recipe.yaml)")
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw RecipeError(file: path, "cannot be read; check its permissions")
    }
    guard data.count <= 1 << 18, let text = String(validating: data, as: UTF8.self) else {
      throw RecipeError(file: path, "is not a recipe: recipes are short UTF-8 text files")
    }
    try self.init(yaml: text, file: path, settings: settings)
  }

  /// Reads a recipe from text; `file` is for messages.
  public init(yaml: String, file: String = "recipe", settings: [String] = []) throws {
    var root = try Self.parse(yaml, file: file)
    for setting in settings { try Self.apply(setting, to: &root, file: file) }
    let problems = RecipeReader.Problems()
    let reader = RecipeReader(root, problems: problems)
    guard let kind = reader.choice("kind", Kind.self) else {
      if problems.list.isEmpty {
        reader.report("kind", "is missing; write `kind: codec`, `kind: model` or `kind: classifier`")
      }
      throw RecipeError(file: file, problems: problems.list)
    }
    self.init(kind: kind)
    read(from: reader)
    guard problems.list.isEmpty else { throw RecipeError(file: file, problems: problems.list) }
  }

  private static func parse(_ yaml: String, file: String) throws -> Node.Mapping {
    // The parser below recurses; a file of nothing but brackets must not overflow its stack.
    let openings = zip(yaml.utf8, yaml.utf8.dropFirst()).count { byte, next in
      "[{".utf8.contains(byte) || ("-?".utf8.contains(byte) && next == UInt8(ascii: " "))
    }
    guard openings < 256 else { throw RecipeError(file: file, "is nested too deep to be a recipe") }
    let node: Node?
    do {
      node = try Yams.compose(yaml: yaml)
    } catch let error as YamlError {
      throw RecipeError(file: file, problems: [problem(error)])
    }
    guard let node else {
      throw RecipeError(file: file, "is empty; start with `kind: codec`, `kind: model` or `kind: classifier`")
    }
    guard let mapping = node.mapping else {
      throw RecipeError(file: file, line: node.mark?.line, "is not a recipe: expected `key: value` lines")
    }
    return mapping
  }

  private static func problem(_ error: YamlError) -> RecipeError.Problem {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      .init(line: mark.line, keyPath: "", message: "is not valid YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      .init(
        line: context.mark.line, keyPath: "",
        message: "a key occurs twice: \(duplicates.sorted().joined(separator: ", "))")
    case .reader(let problem, _, _, _): .init(keyPath: "", message: "is not valid YAML: \(problem)")
    default: .init(keyPath: "", message: "is not valid YAML")
    }
  }

  private static func apply(_ setting: String, to root: inout Node.Mapping, file: String) throws {
    guard let equals = setting.firstIndex(of: "="), equals != setting.startIndex else {
      throw RecipeError(file: file, "the setting `\(setting)` is not of the form key.path=value")
    }
    let keys = setting[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let text = String(setting[setting.index(after: equals)...])
    var value = Node(text, Tag(.implicit), .plain)
    if text.hasPrefix("["), let list = try? Yams.compose(yaml: text) { value = list }
    try set(value, at: keys[...], in: &root, setting: setting, file: file)
  }

  private static func set(
    _ value: Node, at keys: ArraySlice<String>, in mapping: inout Node.Mapping, setting: String, file: String
  ) throws {
    guard let key = keys.first else { return }
    if keys.count == 1 {
      mapping[key] = value
      return
    }
    var inner = mapping[key] ?? Node.mapping(Node.Mapping([]))
    guard var section = inner.mapping else {
      throw RecipeError(file: file, "the setting `\(setting)`: `\(key)` is not a section")
    }
    try set(value, at: keys.dropFirst(), in: &section, setting: setting, file: file)
    inner = .mapping(section)
    mapping[key] = inner
  }
}

// MARK: Sections

extension Recipe {
  private mutating func read(from reader: RecipeReader) {
    name = reader.string("name") ?? name
    seed = reader.unsigned("seed", default: seed)
    device =
      reader.parsed("device", expected: "auto, cpu, cuda or cuda:N") { TrainingDevice($0) } ?? device
    precision = reader.choice("precision", default: precision)
    threads = reader.int("threads", in: 0...4096) ?? threads
    steps = reader.int("steps", default: steps, in: 1...)
    timeLimit = reader.parsed(
      "time_limit", expected: "a duration such as 25m, 1h30m, or a number of seconds", DurationText.seconds)
    from = reader.string("from")
    batchSize = reader.int("batch_size", in: 1...65_536) ?? batchSize
    data.read(from: reader.section("data"), kind: kind)
    optimizer.read(from: reader.section("optimizer"))
    ema.read(from: reader.section("ema"))
    checkpoint.read(from: reader.section("checkpoint"))
    evaluate.read(from: reader.section("evaluate"))
    samples.read(from: reader.section("samples"))
    log.read(from: reader.section("log"))
    let ofClassifiers = "belongs to recipes of `kind: classifier`"
    switch subject {
    case .codec(var codec):
      codec.read(from: reader.section("codec"))
      subject = .codec(codec)
      reader.finish(elsewhere: ["model": "belongs to recipes of `kind: model`", "classifier": ofClassifiers])
    case .model(var model):
      model.read(from: reader.section("model"))
      subject = .model(model)
      reader.finish(elsewhere: [
        "codec": "belongs to recipes of `kind: codec`; a model's codec comes with its latents",
        "classifier": ofClassifiers,
      ])
    case .classifier(var classifier):
      classifier.read(from: reader.section("classifier"))
      subject = .classifier(classifier)
      reader.finish(elsewhere: [
        "codec": "belongs to recipes of `kind: codec`", "model": "belongs to recipes of `kind: model`",
      ])
    }
  }
}

extension DataRecipe {
  fileprivate mutating func read(from reader: RecipeReader, kind: Recipe.Kind) {
    let key = kind.dataKey
    let given = reader.string(key)
    switch kind {
    case .codec:
      cropSeconds = reader.double("crop_seconds", default: cropSeconds, in: .positive)
      if cropSeconds > 600 { reader.report("crop_seconds", "is \(cropSeconds), more than 600") }
    case .model: cropFrames = reader.int("crop_frames", in: 2...1_048_576) ?? cropFrames
    case .classifier: break
    }
    let codecOnly = "belongs to recipes of `kind: codec`; a model's crop is `crop_frames`, its data `latents`"
    let modelOnly = "belongs to recipes of `kind: model`; a codec's crop is `crop_seconds`, its data `corpus`"
    switch kind {
    case .codec: reader.finish(elsewhere: ["latents": modelOnly, "crop_frames": modelOnly])
    case .model: reader.finish(elsewhere: ["corpus": codecOnly, "crop_seconds": codecOnly])
    case .classifier:
      let none = "belongs to other recipes; a classifier's examples last one second"
      reader.finish(elsewhere: ["latents": modelOnly, "crop_frames": none, "crop_seconds": none])
    }
    guard let given else {
      let meaning =
        switch kind {
        case .codec: "a manifest or folder of recordings (`legato corpus` makes one)"
        case .model: "a folder of latents (`legato prepare` makes one)"
        case .classifier: "a folder that `legato corpus` rendered"
        }
      reader.require(key, "is missing; name \(meaning)")
      return
    }
    source = given
  }
}

extension OptimizerRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    learningRate = reader.double("learning_rate", default: learningRate, in: .positive)
    betas = reader.doubles("betas", count: 2, in: .belowOne) ?? betas
    eps = reader.double("eps", default: eps, in: .positive)
    weightDecay = reader.double("weight_decay", default: weightDecay, in: .fromZero)
    clip = reader.double("clip", default: clip, in: .fromZero)
    warmupSteps = reader.int("warmup_steps", default: warmupSteps, in: 0...)
    schedule = reader.choice("schedule", default: schedule)
    finalFraction = reader.double("final_fraction", default: finalFraction, in: .fraction)
    reader.finish()
  }
}

extension EMARecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    decay = reader.double("decay", default: decay, in: .belowOne)
    reader.finish()
  }
}

extension CheckpointRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    everySteps = reader.int("every_steps", default: everySteps, in: 0...)
    everyMinutes = reader.double("every_minutes", default: everyMinutes, in: .fromZero)
    keep = reader.int("keep", default: keep, in: 1...)
    reader.finish()
  }
}

extension EvaluateRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    everySteps = reader.int("every_steps", default: everySteps, in: 0...)
    batches = reader.int("batches", in: 1...100_000) ?? batches
    patience = reader.int("patience", in: 0...100_000) ?? patience
    if patience > 0, everySteps == 0 {
      reader.report("patience", "is \(patience), and every_steps 0 measures nothing that could be waited for")
    }
    reader.finish()
  }
}

extension SamplesRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    everySteps = reader.int("every_steps", default: everySteps, in: 0...)
    seconds = reader.double("seconds", default: seconds, in: .positive)
    if seconds > 86_400 { reader.report("seconds", "is \(seconds), more than a day") }
    count = reader.int("count", in: 1...1000) ?? count
    reader.finish()
  }
}

extension LogRecipe {
  fileprivate mutating func read(from reader: RecipeReader) {
    everySteps = reader.int("every_steps", default: everySteps, in: 1...)
    reader.finish()
  }
}
