import Foundation
import Legato
import LegatoModels

/// One model generating in one way.
struct DriftSetting: Sendable {
  var package: ModelPackage
  /// As a person named it, or the package's own name where that tells it from others.
  var label: String
  var generation: GenerationDefaults
  var style: StyleOption
  /// What tells it from all others.
  var name = ""
  /// The same for models that differ in their training's seed alone.
  var group = ""

  /// Throws ``CommandError`` where the package lacks the style.
  func options(seed: UInt64) throws -> GenerationOptions {
    var options = GenerationOptions(seed: seed, defaults: generation)
    options.style = try style.options(seed: seed, package: package).style
    return options
  }

  /// What the reports say of the style; nil where the package has none.
  var styleText: String? {
    if package.styles.isEmpty { return nil }
    switch style.style {
    case .any: return "styles by seed"
    case .none: return "no style"
    case .named(let name): return "style \(name)"
    }
  }

  /// All combinations; `models` are PACKAGE or LABEL=PACKAGE.
  static func all(
    models: [String], variants: SettingVariants, feedbackGains: [Float], style: StyleOption
  ) throws -> [DriftSetting] {
    let named = try models.map { text -> (label: String?, package: ModelPackage) in
      let parts = text.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, !FileManager.default.fileExists(atPath: text) else {
        return (nil, try ModelPackage(path: text))
      }
      return (String(parts[0]), try ModelPackage(path: String(parts[1])))
    }
    var settings: [DriftSetting] = []
    for (label, package) in named {
      let own = package.configuration.name
      let isAmbiguous = named.contains {
        $0.label == nil && $0.package.configuration.name == own && $0.package.path != package.path
      }
      let tried = variants.all(of: package).flatMap {
        $0.with(feedbackGains, as: \.feedbackGain)
      }
      settings += tried.map {
        DriftSetting(
          package: package, label: label ?? (isAmbiguous ? package.path : own), generation: $0, style: style)
      }
    }
    // What follows from the model need not be said beside its name.
    func varies<Value: Hashable>(_ value: (DriftSetting) -> Value) -> Bool {
      Dictionary(grouping: settings, by: \.package.path).values.contains { Set($0.map(value)).count > 1 }
    }
    let told: [(what: String, value: (GenerationDefaults) -> String)] = [
      ("temperature", { "\($0.temperature)" }), ("context noise", { "\($0.contextNoise)" }),
      ("steps", { "\($0.steps)" }), ("feedback gain", { "\($0.feedbackGain)" }),
    ].filter { told in varies { told.value($0.generation) } }
    for index in settings.indices {
      let setting = settings[index]
      settings[index].group =
        ([setting.label] + told.map { "\($0.what) \($0.value(setting.generation))" }).joined(separator: ", ")
    }
    for index in settings.indices {
      let alike = settings.indices.filter { settings[$0].group == settings[index].group }
      let number = alike.firstIndex(of: index).map { $0 + 1 } ?? 1
      settings[index].name = settings[index].group + (alike.count > 1 ? " #\(number)" : "")
    }
    return settings
  }
}
