import Foundation
import Legato
import LegatoModels

/// One model generating in one way.
struct DriftSetting: Sendable {
  var package: ModelPackage
  /// As a person named it, or the package's own name where that tells it from others.
  var label: String
  var temperature: Float
  var contextNoise: Float
  /// What tells it from all others.
  var name = ""
  /// The same for models that differ in their training's seed alone.
  var group = ""

  func options(seed: UInt64) -> GenerationOptions {
    var options = GenerationOptions(seed: seed, defaults: package.configuration.generation)
    (options.temperature, options.contextNoise) = (temperature, contextNoise)
    return options
  }

  /// All combinations; `models` are PACKAGE or LABEL=PACKAGE.
  static func all(models: [String], temperatures: [Float], contextNoises: [Float]) throws -> [DriftSetting] {
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
      let defaults = package.configuration.generation
      for temperature in temperatures.isEmpty ? [defaults.temperature] : temperatures {
        for noise in contextNoises.isEmpty ? [defaults.contextNoise] : contextNoises {
          settings.append(
            DriftSetting(
              package: package, label: label ?? (isAmbiguous ? package.path : own), temperature: temperature,
              contextNoise: noise))
        }
      }
    }
    // What follows from the model need not be said beside its name.
    func varies<Value: Hashable>(_ value: (DriftSetting) -> Value) -> Bool {
      Dictionary(grouping: settings, by: \.package.path).values.contains { Set($0.map(value)).count > 1 }
    }
    let (variesInTemperature, variesInNoise) = (varies(\.temperature), varies(\.contextNoise))
    for index in settings.indices {
      let setting = settings[index]
      var parts = [setting.label]
      if variesInTemperature { parts.append("temperature \(setting.temperature)") }
      if variesInNoise { parts.append("context noise \(setting.contextNoise)") }
      settings[index].group = parts.joined(separator: ", ")
    }
    for index in settings.indices {
      let alike = settings.indices.filter { settings[$0].group == settings[index].group }
      let number = alike.firstIndex(of: index).map { $0 + 1 } ?? 1
      settings[index].name = settings[index].group + (alike.count > 1 ? " #\(number)" : "")
    }
    return settings
  }
}
